"""Training in this process, alone or as one rank of several: what is ready goes through the loop, and is written down.

Called by :mod:`engine.learn.fit` and, on each rank, by :mod:`engine.learn.ranks`. It starts the loop of
:mod:`engine.learn.loop` under the run's plan, with what :mod:`engine.learn.prepare` made ready.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TextRef, canonical_json
from engine.compute.plan import applied
from engine.compute.profile import workload_key
from engine.compute.world import ALONE, World
from engine.datasets import open_texts
from engine.datasets.texts import TOKENIZER
from engine.learn.checkpoints.sharded import ShardedFolder
from engine.learn.choosing import block_plan
from engine.learn.distil.teacher import distillation_of
from engine.learn.loop import train
from engine.learn.measure.figures import history_figure
from engine.learn.optim.finder import find_learning_rate
from engine.learn.options import TrainingOptions
from engine.learn.prepare import Prepared, prepare
from engine.learn.recipes import resolved
from engine.learn.shards import whole
from engine.learn.state import TrainingData, TrainingResult
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.spec import ExecutionPlan, RunContext
from engine.text import TextTokenizer

_NOT_IDENTITY = ("checkpoint_steps", "devices", "nodes", "strategy", "hang_s")


@dataclass(frozen=True)
class Fitted:
    """A trained model and how its training went."""

    model: ModelRef
    history: MetricsRef


def fit_here(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    ctx: RunContext,
    wishes: Mapping[str, Any],
    left_open: Collection[str],
    teacher: ModelRef | None = None,
    world: World = ALONE,
) -> Fitted | None:
    """Train in this process, together with the others of its world; None on all ranks but the first."""
    plan = block_plan(ctx.plan, wishes)
    with applied(plan, ctx.seed) as place:
        ready = prepare(model, dataset, options.task, place)
        if teacher is not None:
            ready = _taught(ready, teacher, dataset, options, ctx, place)
        spec, module, data = ready.spec, ready.module, ready.data
        checked = None if validation is None else ready.other(validation, place).prepared()
        options = _resolved(options, ready, left_open, ctx)
        ctx.log(
            "Training {architecture} with {parameters} parameters on {count} examples, device {device}",
            architecture=spec.architecture,
            parameters=sum(p.numel() for p in module.parameters()),
            count=len(data.examples),
            device=plan.device,
        )
        result = train(
            module,
            data,
            options,
            ctx,
            validation=checked,
            seed=ctx.seed,
            checkpoints=ShardedFolder(ctx.workdir / "checkpoints", options.checkpoint_steps, world=world),
            identity=_identity(model, dataset, validation, options, plan, ctx.seed, teacher),
            world=world,
            plan=plan,
            workload=_workload(spec, data, options, plan),
        )
        weights = whole(module)
    if not world.is_main:
        return None
    return finished(ready, dataset, result, plan, ctx, weights)


def finished(
    ready: Prepared,
    dataset: DatasetRef,
    result: TrainingResult,
    plan: ExecutionPlan,
    ctx: RunContext,
    weights: Mapping[str, Tensor] | None = None,
) -> Fitted:
    """Write the trained model and its history.

    Parameters
    ----------
    weights
        Where those in the network are not whole.
    """
    numbers: dict[str, float | str] = {**result.metrics, "data_digest": dataset.digest}
    spec = ready.spec.model_copy(update={"metrics": numbers, "provenance": provenance(ctx, plan)})
    files = _tokenizer_file(dataset, ready.tokenizer)
    return Fitted(
        save_model(ctx.store, spec, dict(weights or ready.module.state_dict()), files=files), _history(ctx, result)
    )


def _resolved(
    options: TrainingOptions, ready: Prepared, left_open: Collection[str], ctx: RunContext
) -> TrainingOptions:
    """Options with the recipe, and with the learning rate that was to be found."""
    taken = resolved(options, ready.module, len(ready.data.examples), left_open)
    names = [field.name for field in fields(taken)]
    changed = [name for name in names if getattr(taken, name) != getattr(options, name)]
    if changed:
        ctx.log(
            "The fast recipe takes: {settings}",
            settings=", ".join(f"{name} {getattr(taken, name)}" for name in changed),
        )
    if not taken.find_learning_rate:
        return taken
    found = find_learning_rate(ready.module, ready.data, taken, ctx, seed=ctx.seed)
    ctx.log("The learning rate is {rate}, where the loss fell fastest", rate=f"{found.suggested:.3g}")
    return replace(taken, learning_rate=found.suggested)


def _taught(
    ready: Prepared,
    teacher: ModelRef,
    dataset: DatasetRef,
    options: TrainingOptions,
    ctx: RunContext,
    place: torch.device,
) -> Prepared:
    """The same, with a teacher among the data."""

    def tell(done: int, total: int) -> None:
        ctx.check_cancelled()
        ctx.progress(done, total, "examples")

    found = distillation_of(teacher, dataset, ready, options, place, tell)
    ctx.log(
        "The teacher has {parameters} parameters",
        parameters=sum(p.numel() for p in found.teacher.parameters()),
    )
    return replace(ready, data=replace(ready.data, distillation=found))


def _tokenizer_file(dataset: DatasetRef, tokenizer: TextTokenizer | None) -> dict[str, bytes]:
    """The tokenizer that goes with the model: its own, or that of the texts it learned from."""
    if not isinstance(dataset, TextRef):
        return {}
    return {TOKENIZER: tokenizer.content if tokenizer is not None else open_texts(dataset).tokenizer.content}


def _workload(spec: ModelSpec, data: TrainingData, options: TrainingOptions, plan: ExecutionPlan) -> str:
    shape = data.examples.network_shape
    return workload_key(spec.architecture, spec.config, shape, options.batch_size, options.task, plan.device)


def _identity(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    plan: ExecutionPlan,
    seed: int,
    teacher: ModelRef | None,
) -> dict[str, Any]:
    """What a checkpoint must agree in: not how often they are written, and not how many processes train."""
    chosen = {key: value for key, value in asdict(options).items() if key not in _NOT_IDENTITY}
    if options.devices * options.nodes > 1:
        plan = plan.model_copy(update={"device": plan.device.split(":")[0], "threads": 0})
    inputs = {"model": model.digest, "dataset": dataset.digest, "validation": validation.digest if validation else None}
    if teacher is None:
        del chosen["distil"]
    else:
        inputs["teacher"] = teacher.digest
    identity = {**chosen, **inputs, **plan.model_dump(exclude={"choices"}), "seed": seed}
    return dict(json.loads(canonical_json(identity)))  # as it comes back out of a checkpoint


def _history(ctx: RunContext, result: TrainingResult) -> MetricsRef:
    files = {
        "metrics.json": canonical_json(result.metrics),
        "history.json": canonical_json(result.history),
        "preview.json": canonical_json({"kind": "figure", "figure": history_figure(result.history)}),
    }
    return ctx.store.put(MetricsRef, files=files)
