"""What a block speaks through: the executor's side of :class:`engine.spec.RunContext`.

Called by the executor. Metric points are kept in memory and sent in packed blocks by a thread of their own, at once
when it is quiet and at most 20 times a second when it is not, so logging costs the training loop microseconds.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore
from engine.errors import CancelledRun, UserError, render
from engine.events import Checkpoint, Decision, Event, Log, MetricBuffer, Progress, Sink
from engine.spec.context import ExecutionPlan, LogLevel

FLUSH_EVERY_S = 0.05
PROGRESS_EVERY_S = 0.1


class EventWriter:
    """Sends events in order from many threads; gathers metric points and progress.

    Used as a context manager around a run, so that what is gathered is always sent.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._buffers: dict[tuple[str, str], MetricBuffer] = {}
        self._progress: dict[str, Progress] = {}
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def __enter__(self) -> EventWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._wake.set()
        self._thread.join()
        self.flush()

    def send(self, event: Event) -> None:
        """Send an event behind everything gathered so far."""
        with self._lock:
            self._flush_locked()
            self._sink(event)

    def metric(self, block: str, name: str, value: float, step: int) -> None:
        """Gather one point."""
        buffer = self._buffers.get((block, name))
        if buffer is None:
            buffer = self._buffers.setdefault((block, name), MetricBuffer(block, name))
        buffer.add(step, value, time.time())
        if not self._wake.is_set():
            self._wake.set()

    def progress(self, event: Progress) -> None:
        """Keep the newest progress of a block."""
        self._progress[event.block] = event
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Send what was gathered."""
        with self._lock:
            self._flush_locked()

    def _flush_locked(self) -> None:
        for buffer in list(self._buffers.values()):
            while (event := buffer.flush()) is not None:
                self._sink(event)
        for block in list(self._progress):
            self._sink(self._progress.pop(block))

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait()
            self._wake.clear()
            self.flush()
            time.sleep(FLUSH_EVERY_S)


class BlockContext:
    """The context of one block of one run."""

    def __init__(
        self,
        *,
        block_id: str,
        seed: int,
        plan: ExecutionPlan,
        document: dict[str, Any],
        store: ArtifactStore,
        workdir: Path,
        writer: EventWriter,
        stop: Callable[[], CancelledRun | None],
    ) -> None:
        self.block_id = block_id
        self.seed = seed
        self.plan = plan
        self.document = document
        self.store = store
        self._workdir = workdir
        self._writer = writer
        self._stop = stop
        self._progress_at = 0.0

    @property
    def workdir(self) -> Path:
        """A folder that survives a crash of the run; made when first asked for."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        return self._workdir

    def metric(self, name: str, value: float, step: int) -> None:
        """Log one point of a metric."""
        self._writer.metric(self.block_id, name, float(value), step)

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        """Say how far the block is."""
        now = time.monotonic()
        if done < total and now - self._progress_at < PROGRESS_EVERY_S:
            return
        self._progress_at = now
        self._writer.progress(Progress(self.block_id, done, total, unit, eta_s))

    def log(self, template: str, level: LogLevel = "info", **values: Any) -> None:
        """Write a line of the log."""
        self._writer.send(Log(self.block_id, level, render(template, values), template, values))

    def warn(self, template: str, **values: Any) -> None:
        """Write a warning."""
        self.log(template, "warning", **values)

    def decide(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """Say what the block decided by itself, and why."""
        told = render(template, values)
        self._writer.send(Decision(self.block_id, kind, step, told, template, values, dict(evidence or {})))

    def checkpoint_saved(self, step: int) -> None:
        """Say that a checkpoint is safely on disk."""
        self._writer.send(Checkpoint(self.block_id, step))

    def check_cancelled(self) -> None:
        """Raise when the run must stop."""
        stop = self._stop()
        if stop is not None:
            raise stop

    def resource(self, name: str) -> Path:
        """Folder of a public data set or weights."""
        started = time.monotonic()

        def tell(done: int, total: int) -> None:
            self.check_cancelled()
            rate = done / max(time.monotonic() - started, 1e-3)
            self.progress(done, total, "bytes", (total - done) / rate if rate else None)

        # By name: the module is a neighbour above, and most blocks never need it.
        found: Path = importlib.import_module("engine.resources").resolve(name, tell)
        return found

    def local_path(self, text: str) -> Path:
        """A path that a person gave, resolved and checked."""
        path = Path(text).expanduser()
        try:
            if path.exists():
                return path.resolve()
        except (OSError, ValueError):
            pass
        raise UserError(
            "There is nothing at {path}",
            hint="Check the path. A run on a server sees only the folders that its administrator shares "
            "(DEEPSEEK_DATA_DIRS).",
            path=text[:300],
        )
