"""What models cost and how good they are, side by side on this machine.

Called by the block ``evaluate.benchmark``. Every model is asked in its fastest runtime here, in turns with the others
and with equal threads; one with weights alone is written as ONNX for that, in memory.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, ModelRef
from engine.compress.macs import count
from engine.compress.pack import FREE, plain
from engine.compress.search.judge import Judge
from engine.errors import UserError
from engine.learn.measure.metrics import wilson_interval
from engine.learn.prepare import held
from engine.learn.state import TrainingData
from engine.learn.tasks import Task, find_task
from engine.models import build
from engine.runtime.footprint import memory_mib
from engine.runtime.measure import compare
from engine.runtime.models import WEIGHTS, open_model, read_spec
from engine.runtime.modelspec import ModelSpec
from engine.runtime.runtimes import QUICK, READ_FILES, Timed, measured
from engine.runtime.texts import tokenizer_of
from engine.spec import RunContext

BATCHES = (1, 8, 32)
NUMBERS = {"tokens": "int64"}
CHOOSING_S, TIMING_S = 1.0, 2.0


@dataclass(frozen=True)
class _Contestant:
    """A model, opened in its fastest runtime."""

    ref: ModelRef
    spec: ModelSpec
    task: Task
    data: TrainingData
    way: Timed
    content: bytes | None


def benchmark(
    models: Sequence[ModelRef], dataset: DatasetRef, ctx: RunContext, *, examples: int | None = None
) -> list[dict[str, Any]]:
    """Measure models.

    Parameters
    ----------
    models
        Trained for the data set.
    dataset
        Examples with labels that the models were not trained on.
    examples
        How many are asked for the accuracy at most; None: all.

    Returns
    -------
    list
        For each model: ``size_bytes``, ``params`` and ``macs`` (None where they are not known), ``runtime``; for each
        batch size B ``p50_ms_B``, ``p95_ms_B``, ``p99_ms_B`` and ``per_s_B``; ``memory_mib``; ``accuracy``,
        ``accuracy_low`` and ``accuracy_high`` (95 %, Wilson; None for numbers), ``examples``.

    Raises
    ------
    UserError
        When a model is not trained or does not fit the data.
    """
    contestants = [_opened(ref, dataset, ctx) for ref in models]
    rows = [_facts(one, ctx) for one in contestants]
    for size in BATCHES:
        calls: dict[str, Callable[[], object]] = {}
        for place, one in enumerate(contestants):
            calls[str(place)] = _asking(one.way, _inputs(one.data, size))
        for name, latency in compare(calls, TIMING_S * len(calls), ctx.check_cancelled).items():
            rows[int(name)] |= {
                f"p50_ms_{size}": latency.p50_ms,
                f"p95_ms_{size}": latency.p95_ms,
                f"p99_ms_{size}": latency.p99_ms,
                f"per_s_{size}": 1e3 * size / latency.p50_ms,
            }
    for done, (one, row) in enumerate(zip(contestants, rows, strict=True)):
        ctx.progress(done, len(rows), "models")
        row |= _judged(one, examples, ctx)
    return rows


def _opened(ref: ModelRef, dataset: DatasetRef, ctx: RunContext) -> _Contestant:
    spec = read_spec(ref)
    if not spec.trained:
        raise UserError("The model is not trained yet", field="model", hint="Connect it to a training block first.")
    task = find_task(str(spec.task))
    data = held(dataset, spec, task, torch.device("cpu"), tokenizer_of(ref))
    x = _inputs(data, 8)
    module: nn.Module | None = None
    if WEIGHTS in ref.files:
        module = open_model(ref).module
    content = _file(ref, spec, module, x)
    ways = measured(
        x, module=module, content=content, names=QUICK, threads=ctx.plan.threads, budget_s=CHOOSING_S,
        check=ctx.check_cancelled,
    )  # fmt: skip
    return _Contestant(ref, spec, task, data, ways[0], content)


def _file(ref: ModelRef, spec: ModelSpec, module: nn.Module | None, x: Tensor) -> bytes | None:
    """The ONNX file of a model: the first that it has, or its network written now; None where that cannot be done."""
    if spec.variants:
        return ref.read_bytes(spec.variants[min(spec.variants)].file)
    if module is None:
        return None
    try:
        return plain(module, x[:2], free_length=spec.task in FREE)
    except UserError:
        return None


def _facts(one: _Contestant, ctx: RunContext) -> dict[str, Any]:
    params: int | None = None
    macs: int | None = None
    with contextlib.suppress(UserError, RuntimeError, ValueError):
        with torch.random.fork_rng([]):
            counted = count(build(one.spec.architecture, one.spec.config), _inputs(one.data, 1))
        params, macs = counted.params, counted.macs
    return {
        "size_bytes": sum(entry["size"] for name, entry in one.ref.files.items() if name != "preview.json"),
        "params": params,
        "macs": macs,
        "runtime": one.way.name,
        "memory_mib": _memory_mib(one, ctx),
    }


def _memory_mib(one: _Contestant, ctx: RunContext) -> float | None:
    x = _inputs(one.data, BATCHES[-1])
    number = NUMBERS.get(str(one.spec.input_kind), "float32")
    job = {"runtime": one.way.name, "shape": list(x.shape), "number": number, "threads": ctx.plan.threads}
    if one.way.name not in READ_FILES:
        return memory_mib({**job, "store": str(ctx.store.root), "digest": one.ref.digest})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model.onnx"
        place.write_bytes(one.content or b"")
        return memory_mib({**job, "file": str(place)})


def _judged(one: _Contestant, examples: int | None, ctx: RunContext) -> dict[str, Any]:
    judge = Judge(one.data, one.task, seed=0)
    judge.reporting = torch.arange(len(one.data.examples))[:examples]
    verdict = judge.report(one.way.call, ctx.check_cancelled)
    low, high = wilson_interval(verdict.right, verdict.asked) if verdict.asked else (None, None)
    return {
        "accuracy": verdict.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "examples": len(judge.reporting),
    }


def _inputs(data: TrainingData, size: int) -> Tensor:
    """A batch as the network takes it; of fewer examples than that, some appear again."""
    return data.batch(torch.arange(size) % len(data.examples))[0]


def _asking(way: Timed, x: Tensor) -> Callable[[], object]:
    return lambda: way.call(x)
