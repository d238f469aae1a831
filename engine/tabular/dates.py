"""Dates as people write them.

Called by :mod:`engine.tabular.columns` with one column of text. Order of year, month and day is one for the column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TIME = r"(?:[ T]+(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?P<f>\.\d+)?)?\s*(?P<z>Z|[+-]\d{2}:?\d{2})?)?$"
YMD = r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?" + TIME
FIRST_SECOND = r"^(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4})" + TIME


@dataclass(frozen=True, slots=True)
class Dates:
    """A column of dates.

    Attributes
    ----------
    values
        date32, or timestamp[us] when a cell has a time; UTC when cells have a zone.
    format
        For people, such as ``day/month/year``.
    ambiguous
        True when day and month could change places in every cell.
    """

    values: pa.Array
    format: str
    ambiguous: bool


def to_dates(column: pa.Array, day_first: bool | None = None) -> Dates | None:
    """Read a column as dates; cells that are none become missing. None when no cell is a date.

    Parameters
    ----------
    day_first
        Which comes first in ``03/04/2024``; None to tell from the cells, the day when they do not say.

    Examples
    --------
    >>> to_dates(pa.array(["2024-02-29", "2024-02-30"])).values.to_pylist()
    [datetime.date(2024, 2, 29), None]
    >>> to_dates(pa.array(["13/01/2024", "02/01/2024"])).format
    'day/month/year'
    """
    column = pc.utf8_trim_whitespace(column)
    parts = pc.extract_regex(column, YMD)
    if parts.null_count < len(column):
        values = _build(parts, "m", "d")
        return None if values is None else Dates(values, "year-month-day", False)
    parts = pc.extract_regex(column, FIRST_SECOND)
    if parts.null_count == len(column):
        return None
    first, second = _numbers(parts, "a"), _numbers(parts, "b")
    clear_day = bool((first > 12).any() and not (second > 12).any())
    clear_month = bool((second > 12).any() and not (first > 12).any())
    if day_first is None:
        day_first = clear_day or not clear_month
    values = _build(parts, "b", "a") if day_first else _build(parts, "a", "b")
    if values is None:
        return None
    form = "day/month/year" if day_first else "month/day/year"
    return Dates(values, form, not (clear_day or clear_month))


def _numbers(parts: pa.Array, name: str) -> np.ndarray:
    """One captured group as int64; -1 where there is none."""
    text = pc.struct_field(parts, name)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return np.asarray(pc.fill_null(pc.cast(text, pa.int64()), -1).to_numpy(zero_copy_only=False))


def _build(parts: pa.Array, month: str, day: str) -> pa.Array | None:
    year, month_number, day_number = _numbers(parts, "y"), _numbers(parts, month), _numbers(parts, day)
    valid = (month_number >= 1) & (month_number <= 12) & (day_number >= 1) & (year >= 1)
    months = ((year - 1970) * 12 + np.where(valid, month_number - 1, 0)).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + (day_number - 1)
    valid &= dates.astype("datetime64[M]") == months
    hour, minute, second = (np.maximum(_numbers(parts, name), 0) for name in ("h", "mi", "s"))
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    if not valid.any():
        return None
    if (_numbers(parts, "h")[valid] < 0).all():
        return pa.array(dates, mask=~valid).cast(pa.date32())
    seconds = hour * 3600 + minute * 60 + second - _offset(parts)
    micros = dates.astype("datetime64[us]").astype(np.int64) + seconds * 1_000_000 + _fraction(parts)
    return pa.array(micros.astype("datetime64[us]"), mask=~valid)


def _fraction(parts: pa.Array) -> np.ndarray:
    text = pc.struct_field(parts, "f")
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    values = pc.fill_null(pc.cast(pc.binary_join_element_wise("0", text, ""), pa.float64()), 0.0)
    return np.asarray(np.round(values.to_numpy(zero_copy_only=False) * 1e6), dtype=np.int64)


def _offset(parts: pa.Array) -> np.ndarray:
    """Seconds east of UTC."""
    zones = pc.struct_field(parts, "z")
    found = {zone: _zone_seconds(zone) for zone in pc.unique(zones).to_pylist()}
    return np.array([found[zone] for zone in zones.to_pylist()], dtype=np.int64)


def _zone_seconds(zone: str | None) -> int:
    if not zone or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return seconds if zone[0] == "+" else -seconds
