"""Metric curves with as many points as a chart has pixels, read from the pyramid.

Called by the series endpoints. Each point stands for a bucket: last value, min and max, the step and time of its end.
"""

from __future__ import annotations

import base64
import json
import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from webapp.bridge import unpack_points
from webapp.runs.models import RunEvent, Series, SeriesPage
from webapp.supervisor.pyramid import COLUMNS, FAN, PAGE, level_for

MAX_POINTS = 500_000
Columns: TypeAlias = "list[array[float]]"  # array takes no subscript at run time before 3.12
"""Step, time, min, max, last."""


def series_of(run_ids: Sequence[UUID], names: Sequence[str], points: int, x0: float | None, x1: float | None) -> Any:
    """Run -> metric -> curve."""
    rows = Series.objects.filter(run_id__in=run_ids)
    if names:
        rows = rows.filter(name__in=names)
    answer: dict[str, dict[str, Any]] = {run_id.hex: {} for run_id in run_ids}
    for row in rows.order_by("name"):
        answer[row.run_id.hex][row.name] = read_curve(row, max(1, min(points, MAX_POINTS)), x0, x1)
    return answer


def read_curve(series: Series, points: int, x0: float | None = None, x1: float | None = None) -> dict[str, Any]:
    """One curve, or the part of it between two steps."""
    first, end = 0, series.count
    if x0 is not None or x1 is not None:
        first, end = _find_range(series, x0, x1)
    level = level_for(end - first, points)
    columns = _read_raw(series, first, end) if level == 0 else _read_level(series, level, first, end)
    shown = _thin(columns, points)
    names = ("steps", "t", "min", "max", "last")
    packed = {name: base64.b64encode(column.tobytes()).decode() for name, column in zip(names, shown, strict=True)}
    return {"total": end - first, "shown": len(shown[0]), **packed}


def _find_range(series: Series, x0: float | None, x1: float | None) -> tuple[int, int]:
    """Indexes of the points between two steps, to the width of a bucket of a coarse level; steps do not fall."""
    level = level_for(series.count, 2_000)
    columns = _read_raw(series, 0, series.count) if level == 0 else _read_level(series, level, 0, series.count)
    width = FAN**level
    low = 0 if x0 is None else bisect_left(columns[0], x0)
    high = len(columns[0]) if x1 is None else bisect_right(columns[0], x1) + int(level > 0)
    first, end = min(low * width, series.count), min(high * width, series.count)
    return first, max(first, end)


def _read_raw(series: Series, first: int, end: int) -> Columns:
    rows = RunEvent.objects.filter(run_id=series.run_id, metric=series.name, first__lt=end).order_by("first")
    # The event that holds `first` begins at or before it.
    start = rows.filter(first__lte=first).values_list("first", flat=True).last() or 0
    columns = [array("d") for _ in range(COLUMNS)]
    for at, payload in rows.filter(first__gte=start).values_list("first", "payload").iterator():
        steps, times, values = unpack_points(json.loads(payload))
        low, high = max(first - (at or 0), 0), min(end - (at or 0), len(values))
        parts: list[Sequence[float]] = [steps, times, values, values, values]
        for column, part in zip(columns, parts, strict=True):
            column.extend(part[low:high])
    return columns


def _read_level(series: Series, level: int, first: int, end: int) -> Columns:
    width = FAN**level
    low, high = first // width, -(-end // width)
    pages = SeriesPage.objects.filter(series=series, level=level, page__gte=low // PAGE, page__lte=(high - 1) // PAGE)
    flat = array("d")
    start = None
    for page in pages.order_by("page"):
        start = page.page * PAGE if start is None else start
        flat.frombytes(bytes(page.data))
    skip = low - (start or 0)
    flat = flat[skip * COLUMNS : (high - (start or 0)) * COLUMNS]
    return [flat[column::COLUMNS] for column in range(COLUMNS)]


def _thin(columns: Columns, points: int) -> Columns:
    """Merge neighbours until no more than so many are left."""
    count = len(columns[0])
    if count <= points:
        return columns
    width = -(-count // points)
    steps, times, lows, highs, lasts = columns
    ends = [min(at + width, count) for at in range(0, count, width)]
    starts = range(0, count, width)
    least, greatest = (_least, _greatest) if math.isnan(sum(lows)) or math.isnan(sum(highs)) else (min, max)
    return [
        array("d", [steps[end - 1] for end in ends]),
        array("d", [times[end - 1] for end in ends]),
        array("d", [least(lows[a:b]) for a, b in zip(starts, ends, strict=True)]),
        array("d", [greatest(highs[a:b]) for a, b in zip(starts, ends, strict=True)]),
        array("d", [lasts[end - 1] for end in ends]),
    ]


def _least(values: Sequence[float]) -> float:
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def _greatest(values: Sequence[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)
