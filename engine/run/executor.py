"""Run a pipeline: walk its steps, take what is cached, run the rest, and say all of it as events.

Called by the child process, the SDK and the command line, through :mod:`engine.api`. It is the one place that
catches broadly: a block may fail in any way, and the run still ends with ``run_done``. Blocks are imported by the
dotted path that the catalog names, and only those that must run.
"""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from engine.artifacts import ArtifactStore, MetricsRef, Ref
from engine.errors import CancelledRun, InterruptedRun, StudioError, UserError, error_json
from engine.events import BlockCached, BlockDone, BlockFailed, BlockSkipped, BlockStarted, RunDone, RunStarted, Sink
from engine.graph.document import Block, Document
from engine.graph.lookup import Catalog
from engine.graph.topology import ancestors, descendants, successors
from engine.graph.validate import errors_in, validate
from engine.run import steps as steps_
from engine.run.cache import Cache, Hit
from engine.run.context import BlockContext, EventWriter
from engine.run.steps import Components, Made, Step
from engine.spec.block import BlockSpec, spec_of
from engine.spec.context import ExecutionPlan
from engine.spec.params import build_params

Status = Literal["succeeded", "failed", "cancelled"]
Stop = Callable[[], CancelledRun | None]
_PACKAGES = ("deepseek-studio", "torch", "numpy")


@dataclass(slots=True)
class RunResult:
    """How a run ended.

    ``outputs`` maps block -> port -> artifact; ``metrics`` maps ``block.name`` -> the last number; ``error`` is the
    first block's error as JSON.
    """

    status: Status
    outputs: dict[str, dict[str, Ref]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    error: dict[str, Any] | None = None


def execute(
    document: Document,
    *,
    catalog: Catalog,
    store: ArtifactStore,
    cache: Cache,
    sink: Sink,
    folder: Path,
    plan: Mapping[str, Any] | ExecutionPlan | None = None,
    targets: Sequence[str] | None = None,
    rerun_from: str | None = None,
    stop: Stop = lambda: None,
) -> RunResult:
    """Run a pipeline to its end.

    Parameters
    ----------
    folder
        Where blocks keep what must survive a crash. The same folder and document go on where a crash stopped.
    plan
        A plan to replay, or the part of one that is asked for; the rest is resolved on this machine.
    targets
        Run only what these blocks need ("run to here").
    rerun_from
        Run this block and all behind it even when cached ("run from here").
    stop
        Returns the error to stop with, or None. Asked at least once a step.

    Raises
    ------
    UserError
        Before anything runs, when the pipeline has problems. Later errors are in the result.
    InterruptedRun
        When ``stop`` asked to go on elsewhere: no ``run_done`` is written.
    """
    problems = errors_in(validate(document, catalog))
    if problems:
        first = problems[0]
        raise UserError(first.template, block=first.block, field=first.field, hint=first.hint, **first.values)
    # Read when PyTorch loads its thread pool: threads that wait by sleeping. Spinning, two threads on two busy cores
    # trained the digits 3 to 4 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # One vendor's runtime in a process: the plan's device loads its own, and PyTorch must not pull in all of them.
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    resolved: ExecutionPlan = importlib.import_module("engine.compute.plan").resolve(plan)
    steps = steps_.plan_steps(document, catalog, targets)
    with EventWriter(sink) as writer:
        run = _Run(document, catalog, store, cache, writer, folder, resolved, stop, steps)
        return run.walk(rerun_from)


class _Run:
    """One walk over the steps."""

    def __init__(
        self,
        document: Document,
        catalog: Catalog,
        store: ArtifactStore,
        cache: Cache,
        writer: EventWriter,
        folder: Path,
        plan: ExecutionPlan,
        stop: Stop,
        steps: list[Step],
    ) -> None:
        self._document, self._catalog, self._store, self._cache = document, catalog, store, cache
        self._writer, self._folder, self._plan, self._stop, self._steps = writer, folder, plan, stop, steps
        self._made: dict[str, Made] = {}
        self._kinds: dict[str, str] = {}
        self._blocked: dict[str, str] = {}
        self._edges = [(w.source_block, w.target_block) for w in document.wires]
        self._result = RunResult("succeeded")

    def walk(self, rerun_from: str | None) -> RunResult:
        started = time.monotonic()
        work = self._folder / "work"
        self._writer.send(RunStarted(self._plan.model_dump(), [s.id for s in self._steps], work.exists(), _versions()))
        forced = descendants([rerun_from], successors(self._document.blocks, self._edges)) if rerun_from else set()
        for step in self._steps:
            because = next((b for sources in step.sources.values() for b, _ in sources if b in self._blocked), None)
            if self._result.status == "cancelled":
                because = "cancelled"
            if because is not None:
                self._blocked[step.id] = because
                self._writer.send(BlockSkipped(step.id, because))
                continue
            self._take(step, step.id in forced)
        if self._result.status == "succeeded":
            shutil.rmtree(work, ignore_errors=True)
        self._writer.send(RunDone(self._result.status, time.monotonic() - started, self._result.error))
        return self._result

    def _take(self, step: Step, forced: bool) -> None:
        try:
            stop = self._stop()
            if stop is not None:
                raise stop
            self._one(step, forced)
        except InterruptedRun:
            raise
        except CancelledRun as error:
            self._fail(step, error, "cancelled")
        except Exception as error:  # the run's one broad catch: a block may fail in any way
            self._fail(step, _explain(error), "failed")

    def _fail(self, step: Step, error: BaseException, status: Status) -> None:
        if isinstance(error, StudioError) and error.block is None:
            error.block = step.id
        body = error_json(error)
        body["block"] = body["block"] or step.id
        self._blocked[step.id] = step.id
        if self._result.status == "succeeded" or status == "cancelled":
            self._result.status = status
            self._result.error = body
        self._writer.send(BlockFailed(step.id, body))

    def _one(self, step: Step, forced: bool) -> None:
        if step.block.bypass:
            made = steps_.bypass_sources(step, self._made, self._kinds, self._catalog)
            self._keep(step, made)
            self._writer.send(BlockCached(step.id, steps_.BYPASSED, self._summaries(made), {}))
            return
        parts = steps_.components(step, self._document.seed, self._plan, self._made)
        key = steps_.key_of(parts)
        if not step.entry["cacheable"]:
            why = steps_.NOT_CACHEABLE
        else:
            found = self._cache.lookup(step.id, key, parts)
            whole = found.hit is not None and all(self._store.has(d) for d in found.hit.outputs.values())
            if found.hit is not None and whole and not forced:
                made = self._as_made(step, key, found.hit)
                self._keep(step, made)
                self._writer.send(BlockCached(step.id, steps_.CACHED, self._summaries(made), made.metrics))
                return
            previous = parts if found.hit is not None else found.previous
            why = steps_.ASKED if forced else steps_.why_it_runs(parts, previous)
        self._run_block(step, key, parts, why)

    def _run_block(self, step: Step, key: str, parts: Components, why: Mapping[str, Any]) -> None:
        self._writer.send(BlockStarted(step.id, why))
        started = time.monotonic()
        spec = _import_spec(step)
        params = build_params(spec.params, step.block.params, step.id)
        workdir = self._folder / "work" / step.id / key[:16]
        context = BlockContext(
            block_id=step.id,
            seed=steps_.block_seed(self._document.seed, spec.id),
            plan=self._plan,
            document=self._upstream(step.id),
            store=self._store,
            workdir=workdir,
            writer=self._writer,
            stop=self._stop,
        )
        outputs = spec.run(params, **self._inputs(step, spec), ctx=context)
        hit = Hit(_checked_outputs(spec, outputs), _metrics_of(outputs))
        made = self._as_made(step, key, hit)
        self._keep(step, made)
        if step.entry["cacheable"]:
            self._cache.remember(step.id, key, parts, hit)
        self._writer.send(BlockDone(step.id, time.monotonic() - started, self._summaries(made), made.metrics))
        shutil.rmtree(workdir, ignore_errors=True)

    def _inputs(self, step: Step, spec: BlockSpec) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for port in spec.inputs:
            refs = [
                self._store.open(self._made[block].outputs[name])
                for block, name in step.sources[port.name]
                if name in self._made[block].outputs
            ]
            if port.many:
                values[port.name] = refs
            elif refs:
                values[port.name] = refs[0]
            elif port.optional:
                values[port.name] = None
            else:
                raise UserError(
                    "Nothing arrived at the input {port}",
                    field=port.name,
                    port=port.name,
                    hint="The block before it made no such output.",
                )
        return values

    def _as_made(self, step: Step, key: str, hit: Hit) -> Made:
        measured = frozenset(p["name"] for p in step.entry["outputs"] if p["measured"])
        return Made(key, hit.outputs, hit.metrics, measured)

    def _keep(self, step: Step, made: Made) -> None:
        self._made[step.id] = made
        opened = {port: self._store.open(digest) for port, digest in made.outputs.items()}
        self._kinds.update({f"{step.id}.{port}": ref.kind for port, ref in opened.items()})
        self._result.outputs[step.id] = opened
        self._result.metrics.update({f"{step.id}.{name}": value for name, value in made.metrics.items()})

    def _summaries(self, made: Made) -> dict[str, dict[str, Any]]:
        return {port: self._store.open(digest).summary() for port, digest in made.outputs.items()}

    def _upstream(self, id_: str) -> dict[str, Any]:
        """The part of the document that a block depends on: unrelated edits must not change what it makes."""
        wanted = ancestors([id_], self._document.blocks, self._edges)
        part = self._document.with_(
            name="",
            blocks={k: self._canonical(b) for k, b in self._document.blocks.items() if k in wanted},
            # By target: the order of wires means something only within one input.
            wires=tuple(sorted((w for w in self._document.wires if w.target_block in wanted), key=lambda w: w.target)),
        ).to_json()
        return {key: part[key] for key in ("format", "seed", "blocks", "wires")}

    def _canonical(self, block: Block) -> Block:
        """A default written out or not, a label or none: the same pipeline."""
        schema = self._catalog["blocks"][block.type]["params"]["schema"]
        return replace(block, params=steps_.canonical_params(block.params, schema), label=None)


def _import_spec(step: Step) -> BlockSpec:
    spec = spec_of(importlib.import_module(step.entry["module"]))
    if spec is None or spec.id != step.entry["id"]:
        raise UserError(
            "The catalog and the installed code disagree about the block {type}",
            type=step.entry["id"],
            hint="Build the catalog again: python -m engine.catalog build",
        )
    return spec


def _checked_outputs(spec: BlockSpec, outputs: Any) -> dict[str, str]:
    """Port -> digest of what a block returned."""
    digests = {}
    for port in spec.outputs:
        ref = getattr(outputs, port.name)
        if ref is None:
            continue
        if not isinstance(ref, Ref) or port.kind not in [getattr(c, "kind", None) for c in type(ref).__mro__]:
            raise TypeError(f"{spec.id} returned {ref!r} at its output {port.name} of kind {port.kind}")
        digests[port.name] = ref.digest
    return digests


def _metrics_of(outputs: Any) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for ref in outputs:
        if isinstance(ref, MetricsRef):
            metrics.update(ref.read_json("metrics.json"))
    return metrics


def _explain(error: Exception) -> Exception:
    """Give a known failure of the machine its tip."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return UserError("The block ran out of memory", hint="Use a smaller batch, smaller images or fewer rows.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return UserError("The disk is full", hint="Free some space and run again: finished blocks are kept.")
    return error


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
