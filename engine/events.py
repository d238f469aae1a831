"""What a run says while it runs: one frozen class an event, and metric points packed into blocks.

Called by the executor and by whoever reads a run (supervisor, SDK, command line). Must not know where the
events go. On the wire an event is its fields plus ``"type"``; a reader ignores fields it does not know.
"""

from __future__ import annotations

import base64
import struct
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

EventJson = dict[str, Any]
Sink = Callable[["Event"], None]
MAX_POINTS = 16_384
"""Points in one event at most: a reader refuses lines of a megabyte."""


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    type: ClassVar[str] = "event"

    def to_json(self) -> EventJson:
        """The event as a JSON object; fields that are None are left out."""
        body = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"type": self.type, **{k: v for k, v in body.items() if v is not None}}


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """The plan is made and the order of the blocks is known."""

    type: ClassVar[str] = "run_started"
    plan: Mapping[str, Any]
    blocks: list[str]
    resumed: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockStarted(Event):
    """A block begins, with the reason why it was not taken from the cache."""

    type: ClassVar[str] = "block_started"
    block: str
    reason: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockCached(Event):
    """A block's outputs were found in the cache."""

    type: ClassVar[str] = "block_cached"
    block: str
    reason: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BlockDone(Event):
    """A block ended well."""

    type: ClassVar[str] = "block_done"
    block: str
    duration_s: float
    outputs: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class BlockFailed(Event):
    """A block ended with an error (:func:`engine.errors.error_json`)."""

    type: ClassVar[str] = "block_failed"
    block: str
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockSkipped(Event):
    """A block did not run; ``because`` names the block that stopped it, or ``cancelled``."""

    type: ClassVar[str] = "block_skipped"
    block: str
    because: str


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far a block is."""

    type: ClassVar[str] = "progress"
    block: str
    done: float
    total: float
    unit: str
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Metrics(Event):
    """A block of points of one metric.

    ``values`` are little-endian float64 in base64. Steps are ``first_step + i * stride``, or the int64 array
    ``steps`` when they are irregular. Times are spread evenly from ``t0`` to ``t1`` (unix seconds).
    """

    type: ClassVar[str] = "metrics"
    block: str
    name: str
    first_step: int
    stride: int
    count: int
    t0: float
    t1: float
    values: str
    steps: str | None = None


@dataclass(frozen=True, slots=True)
class Log(Event):
    """A line of the log, as template and values."""

    type: ClassVar[str] = "log"
    block: str | None
    level: Literal["debug", "info", "warning", "error"]
    message: str
    template: str
    values: Mapping[str, Any]
    t: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Checkpoint(Event):
    """A training checkpoint is safely on disk."""

    type: ClassVar[str] = "checkpoint"
    block: str
    step: int


@dataclass(frozen=True, slots=True)
class Decision(Event):
    """A block decided something by what it measured, such as a change of precision; ``evidence`` is what it saw.

    ``kind`` is a word for the reader's timeline: ``probe``, ``precision``, ``attribution``, ``batch``, ``rank``.
    """

    type: ClassVar[str] = "decision"
    block: str
    kind: str
    step: int
    message: str
    template: str
    values: Mapping[str, Any]
    evidence: Mapping[str, Any]
    t: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class RunDone(Event):
    """The last event of a run."""

    type: ClassVar[str] = "run_done"
    status: Literal["succeeded", "failed", "cancelled"]
    duration_s: float
    error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class MetricBuffer:
    """Points of one metric that wait to be sent; adding one costs about a microsecond.

    Examples
    --------
    >>> buffer = MetricBuffer("train", "loss")
    >>> buffer.add(0, 1.0, 10.0); buffer.add(2, 0.5, 11.0)
    >>> event = buffer.flush()
    >>> unpack_points(event.to_json())
    ([0, 2], [10.0, 11.0], [1.0, 0.5])
    """

    block: str
    name: str
    _steps: list[int] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float, t: float) -> None:
        """Keep one point."""
        # The value goes last: a reader on another thread counts values.
        self._steps.append(step)
        self._times.append(t)
        self._values.append(value)

    def flush(self) -> Metrics | None:
        """Take what is there, at most MAX_POINTS, as one event, or None. Safe beside one thread that adds."""
        count = min(len(self._values), MAX_POINTS)
        if not count:
            return None
        steps, times, values = self._steps[:count], self._times[:count], self._values[:count]
        del self._values[:count], self._steps[:count], self._times[:count]
        stride = steps[1] - steps[0] if count > 1 else 1
        regular = all(b - a == stride for a, b in zip(steps, steps[1:], strict=False))
        return Metrics(
            block=self.block,
            name=self.name,
            first_step=steps[0],
            stride=stride if regular else 0,
            count=count,
            t0=times[0],
            t1=times[-1],
            values=pack_floats(values),
            steps=None if regular else base64.b64encode(array("q", steps).tobytes()).decode(),
        )


def pack_floats(values: list[float]) -> str:
    """Little-endian float64 in base64."""
    return base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()


def unpack_floats(text: str) -> list[float]:
    """The inverse of :func:`pack_floats`."""
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // 8}d", raw))


def unpack_points(event: Mapping[str, Any]) -> tuple[list[int], list[float], list[float]]:
    """Steps, times (unix s) and values of a ``metrics`` event."""
    values = unpack_floats(event["values"])
    count = len(values)
    if event.get("steps"):
        raw = base64.b64decode(event["steps"], validate=True)
        steps = list(struct.unpack(f"<{len(raw) // 8}q", raw))
    else:
        steps = [event["first_step"] + i * event["stride"] for i in range(count)]
    t0, t1 = event["t0"], event["t1"]
    gap = (t1 - t0) / (count - 1) if count > 1 else 0.0
    return steps, [t0 + i * gap for i in range(count)], values
