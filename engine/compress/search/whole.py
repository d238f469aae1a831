"""From a model and its data to the models of the front: what stands before and after the hunt.

Called by the block ``compress.search``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, ModelRef
from engine.compress.prune.groups import structure
from engine.compress.search.front import Point, best, drop, front
from engine.compress.search.hunt import EXPORTED, GIVEN, TIMING_S, Goal, Hunt
from engine.compress.search.judge import Judge, Run
from engine.compress.search.maker import Maker
from engine.compress.search.memory import Memory
from engine.compress.search.strategy import Means, Numbers
from engine.compress.search.tuning import Tuner
from engine.datasets.sampling import split_positions
from engine.datasets.views import class_labels, subset
from engine.errors import UserError
from engine.learn.prepare import Prepared, prepare
from engine.learn.state import TrainingData
from engine.learn.tasks import find_task
from engine.runtime.measure import compare
from engine.runtime.models import MODEL, WEIGHTS, open_model, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.runtime.runtimes import READ_FILES, open_runtime, pytorch_threads
from engine.runtime.variants import add_variant
from engine.spec import RunContext

CHECKED_WITH = 64
BATCH = 64
HELD_OUT = 0.2
KNOWS = 0.9
"""Share of what it learned from that a network must answer rightly to be worth asking in a training."""
FINISHING_SHARE, FINISHING_S = 0.1, 12.0
"""Of the budget, what timing the front again and confirming the best may take."""


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    model
        The best: the one that was given, where nothing else is good enough.
    points
        All, with the digest of those on the front.
    front
        Models of the front in its order.
    report
        Before and after: sizes, latencies, accuracy on examples that chose nothing.
    """

    model: ModelRef
    best: Point
    points: list[Point]
    front: list[ModelRef]
    report: dict[str, float]


def search(
    model: ModelRef, dataset: DatasetRef, held_out: DatasetRef | None, goal: Goal, ctx: RunContext, examples: int = 256
) -> Found:
    """Compress a trained model by whatever serves best here.

    Parameters
    ----------
    model
        Trained, with weights.
    dataset
        What it was trained on: ranges are taken from it, and pruned networks are trained on it.
    held_out
        Labelled examples that it was not trained on, to judge candidates with; None takes a fifth of ``dataset``.
    examples
        That ranges are taken from.

    Raises
    ------
    UserError
        When model and data do not fit together.
    """
    if WEIGHTS not in model.files:
        raise UserError(
            "The model has no weights that could be compressed", field="model", hint="Connect a model trained here."
        )
    if held_out is None:
        ctx.warn("No held-out examples are given: a fifth of the data set, which the model may know, judges")
        dataset, held_out = _parted(dataset, ctx)
    opened = open_model(model)
    ready = _fitting(model, opened.spec, dataset)
    memory = Memory(ctx.workdir / "search", _identity(model, dataset, held_out, goal, ctx))
    judge = Judge(ready.other(held_out, torch.device("cpu")), ready.task, seed=ctx.seed)
    rows = torch.randperm(len(ready.data.examples), generator=torch.Generator().manual_seed(ctx.seed))[:examples]
    plain = replace(ready.data, augment=None)
    batches = [plain.batch(part) for part in torch.split(rows, BATCH)]
    changed = [ready.data.batch(part)[0] for part in torch.split(rows, BATCH)]
    hunting = replace(goal, budget_s=None if goal.budget_s is None else goal.budget_s - finishing_s(goal.budget_s))
    means = Means(goal.target, _numbers(opened.spec), _prunes(opened.spec), goal.max_drop, goal.candidates)
    size = sum(entry["size"] for name, entry in model.files.items() if name in (MODEL, WEIGHTS))
    hunt = Hunt(judge, opened.module, size, means, hunting, memory, ctx)
    tuner = Tuner(
        opened.spec,
        opened.module,
        _placed(model, dataset, ready, ctx),
        goal.epochs,
        ctx,
        hunt.check,
        quick=memory.quick,
        teaches=_teaches(opened.module, ready, ctx.seed, examples),
    )
    hunt.maker = Maker(
        opened.spec, opened.module, batches, changed, judge.inputs(CHECKED_WITH), target=goal.target, task=ready.task,
        tuner=tuner, memory=memory, threads=ctx.plan.threads, check=hunt.check,
    )  # fmt: skip
    hunt.run()
    return _finished(hunt, model, opened.spec, goal, ctx)


def _teaches(module: nn.Module, ready: Prepared, seed: int, examples: int) -> bool:
    """False for a network that has not learned its own examples yet: their labels say more than its answers."""
    known = Judge(ready.data, ready.task, seed=seed, most=examples).choose(module)
    return not known.asked or known.accuracy >= KNOWS


def finishing_s(budget_s: float) -> float:
    """What is kept of a budget for the end.

    >>> finishing_s(90)
    9.0
    """
    return min(FINISHING_S, FINISHING_SHARE * budget_s)


def _finished(hunt: Hunt, model: ModelRef, spec: ModelSpec, goal: Goal, ctx: RunContext) -> Found:
    memory = hunt.memory
    calls = {GIVEN: open_runtime(memory.given[0].runtime, module=hunt.given)}
    for point in (memory.given[1], *front(memory.points)):
        if point.runtime in READ_FILES and not point.baseline:
            calls[point.name] = open_runtime(point.runtime, content=memory.content(point.name), threads=hunt.threads)
    with pytorch_threads(hunt.threads):
        points = _timed_again(memory.points, calls, hunt.judge.inputs(1), ctx)
    on = front(points)
    chosen, before, after = _confirmed(points, calls, hunt.judge, goal, ctx)
    kept = {point.name: _model(point, hunt, model, spec, ctx) for point in {p.name: p for p in (*on, chosen)}.values()}
    points = [replace(p, digest=kept[p.name].digest) if p.name in kept else p for p in points]
    by_name = {point.name: point for point in points}
    given, file = points[:2]
    lost = max(0.0, before - after)
    report = {
        "size_before_bytes": float(given.size_bytes),
        "size_after_bytes": float(chosen.size_bytes),
        "shrunk": 1 - chosen.size_bytes / given.size_bytes,
        "eager_ms": given.latency_ms,
        "before_ms": file.latency_ms,
        "after_ms": chosen.latency_ms,
        "speed_up": file.latency_ms / chosen.latency_ms,
        "speed_up_eager": given.latency_ms / chosen.latency_ms,
        "accuracy_before": before,
        "accuracy_after": after,
        "drop": before - after,
        "judged_on": float(len(hunt.judge.reporting)),
        "candidates": float(len(points) - 2),
        "seconds": hunt.seconds,
    }
    if chosen.baseline:
        _say_how_far(points, goal, ctx)
    elif lost:
        ctx.log("{name} is the best: {times} times as fast", name=chosen.name, times=f"{report['speed_up']:.2f}")
    return Found(kept[chosen.name], by_name[chosen.name], points, [kept[point.name] for point in on], report)


def _timed_again(points: list[Point], calls: Mapping[str, Run], one: Tensor, ctx: RunContext) -> list[Point]:
    """The points with latencies that were taken in turns with each other."""
    asked: dict[str, Callable[[], object]] = {}
    for name, call in calls.items():
        asked[name] = _asking(call, one)
    found = compare(asked, 2 * TIMING_S, ctx.check_cancelled)
    # Those that are not timed again keep their ratio to the original's file.
    drift = found[EXPORTED].p50_ms / points[1].latency_ms if EXPORTED in found else 1.0
    return [replace(p, latency_ms=found[p.name].p50_ms if p.name in found else drift * p.latency_ms) for p in points]


def _confirmed(
    points: list[Point], calls: Mapping[str, Run], judge: Judge, goal: Goal, ctx: RunContext
) -> tuple[Point, float, float]:
    """The best that also loses no more than allowed on examples which did not choose it; accuracy before and after."""
    reference = calls.get(EXPORTED, calls[GIVEN])
    most = None if goal.budget_s is None else 4 * len(judge.choosing)
    before = judge.report(reference, ctx.check_cancelled, most).accuracy
    left = list(points)
    while True:
        chosen = best(left, goal.target, goal.max_drop)
        if chosen.baseline or chosen.name not in calls:
            return chosen, before, before
        after = judge.report(calls[chosen.name], ctx.check_cancelled, most).accuracy
        if before - after <= goal.max_drop + 1e-9:
            return chosen, before, after
        ctx.log("{name} loses more on other examples; the next best is taken", name=chosen.name)
        left.remove(chosen)


def _model(point: Point, hunt: Hunt, model: ModelRef, spec: ModelSpec, ctx: RunContext) -> ModelRef:
    """The model of a point: the one that was given, or an ONNX file with what belongs to it."""
    if point.baseline:
        return model
    made = spec.model_copy(
        update={
            "config": hunt.memory.config(point.name) or spec.config,
            "variants": {},
            "metrics": {"validation_accuracy": point.accuracy} if spec.task == "classification" else {},
            "provenance": {**provenance(ctx, ctx.plan), "original": model.digest},
        }
    )
    own = {MODEL, WEIGHTS, "preview.json", *(variant.file for variant in spec.variants.values())}
    files = {name: model.path(name) for name in model.files if name not in own}
    variant = "int8" if "int8" in point.steps else "int4" if {"int4", "mixed"} & set(point.steps) else "onnx"
    bare = save_model(ctx.store, made, files=files)
    return add_variant(ctx.store, bare, variant, hunt.memory.content(point.name), point.runtime)


def _say_how_far(points: list[Point], goal: Goal, ctx: RunContext) -> None:
    given = points[0]
    others = [point for point in points[2:] if point.reason in (None, "accuracy")]
    if not others:
        ctx.warn("Nothing that was tried is smaller or faster here: the model stays as it is")
        return
    nearest = min(others, key=lambda point: drop(point, given))
    ctx.warn(
        "Nothing stays within {allowed} points: the nearest, {name}, loses {drop}. The model stays as it is",
        allowed=f"{100 * goal.max_drop:g}",
        name=nearest.name,
        drop=f"{100 * drop(nearest, given):.2f}",
    )


def _parted(dataset: DatasetRef, ctx: RunContext) -> tuple[DatasetRef, DatasetRef]:
    labels = class_labels(dataset)
    count = int(dataset.meta["count"])
    parts = split_positions(count, {"held": HELD_OUT}, labels=labels, seed=ctx.seed)
    if min(len(parts["rest"]), len(parts["held"])) == 0:
        raise UserError("{count} examples are too few to compress with", field="dataset", count=count)
    rest, held = (np.asarray(parts[name]) for name in ("rest", "held"))
    return subset(ctx.store, dataset, rest), subset(ctx.store, dataset, held)


def _fitting(model: ModelRef, spec: ModelSpec, dataset: DatasetRef) -> Prepared:
    """Model and data, ready for each other; refused where the data would give the model another head."""
    find_task(str(spec.task))
    ready = prepare(model, dataset, str(spec.task), torch.device("cpu"))
    outputs = ("num_classes", "vocab_size")
    is_same = all(ready.spec.config.get(name) == spec.config.get(name) for name in outputs)
    if not is_same or ready.spec.labels != spec.labels:
        raise UserError(
            "The data set has other classes than the model",
            field="dataset",
            hint="Connect the data that the model was trained on.",
        )
    return ready


def _numbers(spec: ModelSpec) -> tuple[Numbers, ...]:
    return ("dynamic", "int8", "qat", "mixed", "int4") if spec.input_kind == "tokens" else ("int8", "qat", "mixed")


def _prunes(spec: ModelSpec) -> bool:
    """True when the architecture says which of its widths can shrink."""
    try:
        return bool(structure(spec.architecture, spec.config).groups)
    except UserError:
        return False


def _placed(model: ModelRef, dataset: DatasetRef, ready: Prepared, ctx: RunContext) -> TrainingData:
    """The examples where training takes place."""
    device = torch.device(ctx.plan.device)
    return ready.data if device.type == "cpu" else prepare(model, dataset, ready.task.name, device).data


def _identity(
    model: ModelRef, dataset: DatasetRef, held_out: DatasetRef, goal: Goal, ctx: RunContext
) -> dict[str, object]:
    inputs = {"model": model.digest, "dataset": dataset.digest, "held_out": held_out.digest}
    return {**inputs, **asdict(goal), "seed": ctx.seed, "plan": ctx.plan.model_dump(exclude={"choices"})}


def _asking(call: Run, one: Tensor) -> Callable[[], object]:
    return lambda: call(one)
