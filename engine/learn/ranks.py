"""Training on several processes: the same :func:`engine.learn.here.fit_here`, on every rank.

Called by ``fit`` when its options ask for more than one process, and by each rank (:func:`main`, named in the job).
Model, data and options travel as digests and JSON; every rank builds the same network from the same seed. Rank 0 writes
the result into the run's store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, Ref
from engine.compute.devices import available_devices, find_device
from engine.compute.world import World
from engine.distributed.health import HANG_S
from engine.distributed.launch import Job, launch
from engine.distributed.nodes import nodes_of
from engine.errors import UserError
from engine.learn.distil.options import DistilOptions
from engine.learn.here import Fitted, fit_here
from engine.learn.options import TrainingOptions
from engine.learn.precision.options import PrecisionOptions
from engine.runtime.models import read_spec
from engine.spec import RunContext

R = TypeVar("R", bound=Ref)


def fit_on_ranks(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    ctx: RunContext,
    wishes: Mapping[str, Any],
    left_open: Collection[str],
    teacher: ModelRef | None = None,
) -> Fitted:
    """Train on ``options.devices`` processes of each of ``options.nodes`` machines.

    Raises
    ------
    UserError
        When this machine has not so many devices, or the model's code lives in one process only.
    """
    device = str(wishes.get("device") or ctx.plan.device)
    _check([model, *([] if teacher is None else [teacher])], options, device)
    arguments = {
        "model": model.digest,
        "dataset": dataset.digest,
        "validation": None if validation is None else validation.digest,
        "options": asdict(options),
        "wishes": {name: value for name, value in wishes.items() if name != "device"},
        "left_open": list(left_open),
        "teacher": None if teacher is None else teacher.digest,
    }
    ctx.log(
        "Starting {count} processes on {nodes} machines, device {device}",
        count=options.devices * options.nodes,
        nodes=options.nodes,
        device=find_device(device).type,
    )
    job = Job(
        program=__name__,
        arguments=arguments,
        processes=options.devices,
        device=find_device(device).name,
        artifacts=[ref.digest for ref in (model, dataset, validation, teacher) if ref is not None],
        nodes=nodes_of(options.nodes),
        hang_s=options.hang_s or HANG_S,
    )
    made = launch(job, ctx)
    return Fitted(_opened(ctx, made["model"], ModelRef), _opened(ctx, made["history"], MetricsRef))


def main(arguments: Mapping[str, Any], ctx: RunContext, world: World) -> dict[str, str]:
    """What each rank does; the digests of the result on rank 0."""
    validation, teacher = arguments["validation"], arguments["teacher"]
    options = dict(arguments["options"])
    kinds = {"watch": PrecisionOptions(**options["watch"]), "distil": DistilOptions(**options["distil"])}
    made = fit_here(
        _opened(ctx, arguments["model"], ModelRef),
        _opened(ctx, arguments["dataset"], DatasetRef),
        None if validation is None else _opened(ctx, validation, DatasetRef),
        TrainingOptions(**{**options, **kinds}),
        ctx,
        arguments["wishes"],
        arguments["left_open"],
        None if teacher is None else _opened(ctx, teacher, ModelRef),
        world,
    )
    return {} if made is None else {"model": made.model.digest, "history": made.history.digest}


def _opened(ctx: RunContext, digest: str, kind: type[R]) -> R:
    ref = ctx.store.open(digest)
    assert isinstance(ref, kind)
    return ref


def _check(models: list[ModelRef], options: TrainingOptions, device: str) -> None:
    if any(read_spec(model).architecture.startswith("wrapped:") for model in models):
        raise UserError(
            "A module of your own lives in this process, and cannot be trained on several",
            field="devices",
            hint="Set devices and nodes to 1, or use an architecture of the catalog.",
        )
    kind = find_device(device).type
    here = sum(found.type == kind for found in available_devices())
    if kind != "cpu" and options.devices > here:
        raise UserError(
            "{wanted} devices were asked for, and this machine has {here} of the type {type}",
            field="devices",
            hint="Ask for at most as many as there are.",
            wanted=options.devices,
            here=here,
            type=kind,
        )
