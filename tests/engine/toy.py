"""A toy catalog: four blocks that count how often they run, without torch."""

from __future__ import annotations

import json
import sys
import time
import types
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from engine.artifacts import ArtifactStore, DatasetRef, MetricsRef, Ref, TableRef, ref_classes
from engine.catalog import describe_block
from engine.errors import CancelledRun, UserError
from engine.events import Event
from engine.graph import parse_document
from engine.run.cache import LocalCache
from engine.run.executor import RunResult, execute
from engine.spec import BlockParams, Measured, RunContext, block, param, spec_of

RUNS: Counter[str] = Counter()


class SourceParams(BlockParams):
    value: float = param(1.0, ge=0, le=10, help="The number it gives")
    mode: Literal["plain", "fancy"] = param("plain", help="How")


class SourceOutputs(NamedTuple):
    dataset: TableRef
    timing: Measured[MetricsRef]


def source(params: SourceParams, *, ctx: RunContext) -> SourceOutputs:
    RUNS[ctx.block_id] += 1
    table = ctx.store.put(TableRef, files={"v.json": json.dumps(round(params.value)).encode()})
    timing = ctx.store.put(MetricsRef, files={"metrics.json": json.dumps({"seconds": time.time()}).encode()})
    return SourceOutputs(table, timing)


class AddParams(BlockParams):
    amount: int = param(1, ge=-5, help="What it adds")
    fail: str | None = param(None, help="How it fails")
    steps: int = param(1, ge=1, help="Steps")


class AddOutputs(NamedTuple):
    dataset: TableRef
    metrics: MetricsRef


def add(params: AddParams, *, dataset: DatasetRef, more: list[DatasetRef], ctx: RunContext) -> AddOutputs:
    RUNS[ctx.block_id] += 1
    if params.fail == "user":
        raise UserError("Column {name} is missing", field="amount", name="price")
    if params.fail == "bug":
        raise ZeroDivisionError("oops")
    done_file = ctx.workdir / "done.txt"
    first = int(done_file.read_text()) + 1 if done_file.exists() else 0
    for step in range(first, params.steps):
        ctx.check_cancelled()
        ctx.metric("loss", 1.0 / (step + 1), step)
        ctx.progress(step + 1, params.steps)
        done_file.write_text(str(step))
        if params.fail == "slow":
            time.sleep(0.02)
    total = sum(ref.read_json("v.json") for ref in [dataset, *more]) + params.amount
    table = ctx.store.put(TableRef, files={"v.json": json.dumps(total).encode()})
    metrics = ctx.store.put(MetricsRef, files={"metrics.json": json.dumps({"total": total}).encode()})
    return AddOutputs(table, metrics)


class ReadParams(BlockParams):
    pass


class ReadOutputs(NamedTuple):
    metrics: MetricsRef


def read(params: ReadParams, *, metrics: MetricsRef, ctx: RunContext) -> ReadOutputs:
    RUNS[ctx.block_id] += 1
    return ReadOutputs(ctx.store.put(MetricsRef, files={"metrics.json": b'{"read": 1}'}))


def _declare(function: Any, id_: str, **options: Any) -> dict[str, Any]:
    name = f"toy_blocks_{id_.replace('.', '_')}"
    module = types.ModuleType(name, doc=f"{id_} of the toy catalog.")
    vars(module).update({k: v for k, v in globals().items() if not k.startswith("__")})
    copied = types.FunctionType(function.__code__, globals(), function.__name__)
    copied.__kwdefaults__, copied.__annotations__ = function.__kwdefaults__, function.__annotations__
    copied.__module__ = name
    sys.modules[name] = module
    module.run = block(id_, title=id_, **options)(copied)
    spec = spec_of(module)
    assert spec is not None
    return describe_block(spec, module)


def catalog() -> dict[str, Any]:
    entries = [
        _declare(source, "data.source"),
        _declare(add, "train.add", needs="gpu"),
        _declare(read, "evaluate.read"),
        _declare(read, "evaluate.always", cacheable=False),
    ]
    kinds = {k: [c.__dict__["kind"] for c in v.__mro__ if "kind" in c.__dict__] for k, v in ref_classes().items()}
    return {"format": "deepseek.catalog/1", "blocks": {e["id"]: e for e in entries}, "kinds": kinds}


CATALOG = catalog()


def document(blocks: dict[str, Any], wires: list[list[str]] | None = None, seed: int = 0) -> Any:
    body = {"format": "deepseek.pipeline/1", "seed": seed, "blocks": blocks, "wires": wires or []}
    return parse_document(body)


def chain(amount: int = 1, value: float = 1.0, **extra: Any) -> Any:
    return document(
        {
            "data": {"type": "data.source", "params": {"value": value}},
            "add": {"type": "train.add", "params": {"amount": amount, **extra}},
            "read": {"type": "evaluate.read"},
        },
        [["data.dataset", "add.dataset"], ["add.metrics", "read.metrics"]],
    )


class Bench:
    """One folder to run toy pipelines in, with the events they sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ArtifactStore(folder / "store")
        self.cache = LocalCache(folder / "cache", "toy")
        self.events: list[Event] = []
        self.stop: CancelledRun | None = None
        RUNS.clear()

    def run(self, doc: Any, **options: Any) -> RunResult:
        self.events = []
        return execute(
            doc,
            catalog=CATALOG,
            store=self.store,
            cache=self.cache,
            sink=self.events.append,
            folder=self.folder / "run",
            plan={"device": "cpu", "threads": 1},
            stop=lambda: self.stop,
            **options,
        )

    def said(self, type_: str) -> list[dict[str, Any]]:
        return [e.to_json() for e in self.events if e.type == type_]

    def value(self, ref: Ref) -> Any:
        return ref.read_json("v.json")
