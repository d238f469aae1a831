"""Min, max and last of a metric at several resolutions, kept up while points arrive.

Called by the recorder with new points and by series queries with stored pages. Level k has one *bucket* for
every 16**k points: its last step, the time of it, and min, max and last of the values. Buckets lie packed in
*pages* of 256. A chart of 1,000 pixels over a million points therefore reads some hundred kilobytes, not eight
megabytes. Must not know the database.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FAN = 16
LEVELS = 5
PAGE = 256
COLUMNS = 5  # step, t, min, max, last


@dataclass
class Level:
    """The last page of one level."""

    page: int = 0
    buckets: list[list[float]] = field(default_factory=list)


@dataclass
class Pyramid:
    """The growing ends of all levels of one metric.

    Examples
    --------
    >>> pyramid = Pyramid()
    >>> pyramid.extend(range(20), [0.0] * 20, [float(i % 7) for i in range(20)])
    >>> unpack(pyramid.flush()[1, 0])
    [[15.0, 0.0, 0.0, 6.0, 1.0], [19.0, 0.0, 2.0, 5.0, 5.0]]
    """

    count: int = 0
    levels: list[Level] = field(default_factory=lambda: [Level() for _ in range(LEVELS)])
    _full: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @classmethod
    def restore(cls, count: int, pages: Mapping[int, tuple[int, bytes]]) -> Pyramid:
        """The pyramid as another process left it: level -> (number, bytes) of its last page."""
        levels: list[Level] = []
        for number in range(1, LEVELS + 1):
            if number in pages:
                page, data = pages[number]
                levels.append(Level(page, unpack(data)))
            elif count and levels:  # not stored, because the level below is still one bucket
                levels.append(Level(0, [list(bucket) for bucket in levels[-1].buckets]))
            else:
                levels.append(Level())
        return cls(count, levels)

    def extend(self, steps: Sequence[float], times: Sequence[float], values: Sequence[float]) -> None:
        """Add points."""
        clean = not math.isnan(sum(values))
        for number, level in enumerate(self.levels, start=1):
            self._extend_level(number, level, steps, times, values, clean)
        self.count += len(values)

    def flush(self) -> dict[tuple[int, int], bytes]:
        """The pages that changed since the last call, by (level, page number)."""
        changed, self._full = self._full, {}
        for number, level in enumerate(self.levels, start=1):
            if number == 1 or self.count > FAN ** (number - 1):
                changed[number, level.page] = pack(level.buckets)
        return changed

    def _extend_level(
        self,
        number: int,
        level: Level,
        steps: Sequence[float],
        times: Sequence[float],
        values: Sequence[float],
        clean: bool,
    ) -> None:
        width = FAN**number
        start = 0
        while start < len(values):
            position = self.count + start
            end = min(start + width - position % width, len(values))
            low, high = _extremes(values[start:end], clean)
            new = [float(steps[end - 1]), times[end - 1], low, high, values[end - 1]]
            index = position // width
            if index // PAGE != level.page:
                self._full[number, level.page] = pack(level.buckets)
                level.page, level.buckets = index // PAGE, []
            if index % PAGE < len(level.buckets):
                level.buckets[-1] = _merge([level.buckets[-1], new])
            else:
                level.buckets.append(new)
            start = end


def _extremes(values: Sequence[float], clean: bool) -> tuple[float, float]:
    if not clean:
        values = [value for value in values if not math.isnan(value)] or [math.nan]
    return min(values), max(values)


def _merge(buckets: Sequence[Sequence[float]]) -> list[float]:
    lows = [bucket[2] for bucket in buckets if not math.isnan(bucket[2])] or [math.nan]
    highs = [bucket[3] for bucket in buckets if not math.isnan(bucket[3])] or [math.nan]
    step, t, _, _, last = buckets[-1]
    return [step, t, min(lows), max(highs), last]


def pack(buckets: Sequence[Sequence[float]]) -> bytes:
    """Buckets as little-endian float64, one after the other."""
    flat = array("d")
    for bucket in buckets:
        flat.extend(bucket)
    return flat.tobytes()


def unpack(data: bytes) -> list[list[float]]:
    """The inverse of :func:`pack`."""
    flat = array("d")
    flat.frombytes(data)
    return [list(flat[at : at + COLUMNS]) for at in range(0, len(flat), COLUMNS)]


def level_for(points: int, wanted: int) -> int:
    """The coarsest level that still has at least ``wanted`` buckets for so many points; 0 is the raw points.

    >>> level_for(1_000_000, 1_000), level_for(900, 1_000)
    (2, 0)
    """
    level = 0
    while level < LEVELS and points // FAN ** (level + 1) >= wanted:
        level += 1
    return level
