"""Points of a search, which of them nothing beats, and which is the best.

Called by the search. Plain data: must not know networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Target = Literal["latency", "size"]
Status = Literal["kept", "refused"]

FAR = 0.1


@dataclass(frozen=True)
class Point:
    """One candidate, measured.

    Attributes
    ----------
    name
        Such as ``"prune 25% + int8"``.
    steps
        What was done, in order.
    size_bytes
        Of the model's files.
    latency_ms
        Median for one example.
    accuracy
        Share of held-out examples answered rightly; for numbers the share of their variance that is explained. Of a
        candidate that was good on the half that ranks and not on the other: the original's, less what is lost there.
    params, macs
        Numbers learned; multiplications with additions for one example.
    status, reason
        ``"refused"`` because it is ``"slower"``, loses too much ``"accuracy"``, computes something else
        (``"differs"``) or could not be made (``"failed"``).
    baseline
        True for the model that was given.
    seconds
        Since the search started.
    runtime
        What computes it.
    digest
        Of the model, for a point of the front of a finished search.
    """

    name: str
    steps: tuple[str, ...]
    size_bytes: int
    latency_ms: float
    accuracy: float
    params: int
    macs: int
    runtime: str
    seconds: float
    status: Status = "kept"
    reason: str | None = None
    baseline: bool = False
    digest: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "steps": list(self.steps)}

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Point:
        """The opposite of :meth:`to_json`."""
        return cls(**{**value, "steps": tuple(value["steps"])})


def beats(one: Point, other: Point) -> bool:
    """True when ``one`` is at least as small, fast and accurate as ``other``, and better in one of these.

    >>> small, large = _point(size_bytes=1), _point(size_bytes=2)
    >>> beats(small, large), beats(large, small), beats(small, small)
    (True, False, False)
    """
    pairs = (
        (one.size_bytes, other.size_bytes),
        (one.latency_ms, other.latency_ms),
        (-one.accuracy, -other.accuracy),
    )
    return all(mine <= its for mine, its in pairs) and any(mine < its for mine, its in pairs)


def front(points: Iterable[Point]) -> list[Point]:
    """The points that no other beats, fastest first.

    A point that loses more than was allowed may be on it, so that a person can take it all the same; one that loses
    :data:`FAR` cannot, nor one that was refused for another reason.

    >>> points = [_point("a", latency_ms=2.0), _point("b", latency_ms=1.0), _point("c", status="refused")]
    >>> [point.name for point in front(points)]
    ['b']
    """
    points = list(points)
    least = next((point.accuracy for point in points if point.baseline), 0.0) - FAR
    shown = [p for p in points if p.status == "kept" or (p.reason == "accuracy" and p.accuracy > least)]
    on = [point for point in shown if not any(beats(other, point) for other in shown)]
    return sorted(on, key=lambda point: (point.latency_ms, point.size_bytes))


def drop(point: Point, baseline: Point) -> float:
    """What is lost in accuracy; negative where something is gained."""
    return baseline.accuracy - point.accuracy


def best(points: Sequence[Point], target: Target, max_drop: float) -> Point:
    """The fastest or smallest kept point that loses no more than allowed; the baseline at worst.

    >>> points = [_point("given", baseline=True), _point("half", latency_ms=0.5, accuracy=0.97)]
    >>> best(points, "latency", 0.05).name, best(points, "latency", 0.01).name
    ('half', 'given')
    """
    baseline = next(point for point in points if point.baseline)
    allowed = [p for p in points if p.status == "kept" and (p.baseline or drop(p, baseline) <= max_drop + 1e-9)]
    if target == "latency":
        return min(allowed, key=lambda point: (point.latency_ms, point.size_bytes))
    return min(allowed, key=lambda point: (point.size_bytes, point.latency_ms))


def _point(name: str = "point", **changes: Any) -> Point:
    """For examples."""
    plain: dict[str, Any] = {
        "steps": (), "size_bytes": 1, "latency_ms": 1.0, "accuracy": 1.0, "params": 1, "macs": 1,
        "runtime": "onnxruntime", "seconds": 0.0,
    }  # fmt: skip
    return Point(name=name, **{**plain, **changes})
