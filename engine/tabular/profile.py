"""The overview of a table: numbers about every column, and one Plotly figure of small charts.

Called by the profile block and the inspection of uploads. Plain JSON is built here; plotly itself is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.tabular.encoders import as_numbers

BINS = 24
BARS = 12
ACROSS = 3
TEXT = 24


def statistics(table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row of numbers for each column.

    Examples
    --------
    >>> rows = statistics(pa.table({"a": [1.0, 3.0, None]}), [{"name": "a", "type": "number"}])
    >>> rows[0]["mean"], rows[0]["missing"], rows[0]["commonest"]
    (2.0, 1, '1.0')
    """
    return [_statistics(column["name"], column["type"], table.column(column["name"])) for column in columns]


def _statistics(name: str, kind: str, values: pa.ChunkedArray) -> dict[str, Any]:
    row: dict[str, Any] = {
        "column": name,
        "type": kind,
        "count": len(values) - values.null_count,
        "missing": values.null_count,
        "unique": pc.count_distinct(values).as_py(),
        "mean": None,
        "std": None,
        "min": None,
        "median": None,
        "max": None,
        "commonest": None,
    }
    present = values.combine_chunks().drop_null()
    if len(present) == 0:
        return row
    top = commonest(present, 1)[0]
    row["commonest"] = str(top[0])[:80]
    if kind == "number":
        numbers = as_numbers(present).to_numpy()
        row |= {
            "mean": float(numbers.mean()),
            "std": float(numbers.std()),
            "min": float(numbers.min()),
            "median": float(np.median(numbers)),
            "max": float(numbers.max()),
        }
    return row


def commonest(values: pa.Array, wanted: int) -> list[tuple[Any, int]]:
    """The commonest values with their counts, the commonest first; equal counts in the order of the text."""
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(values).to_pylist()]
    return sorted(counts, key=lambda entry: (-entry[1], str(entry[0])))[:wanted]


def overview_figure(table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One chart for each column: a histogram of numbers and dates, bars of the commonest words."""
    rows = max(1, math.ceil(len(columns) / ACROSS))
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "height": 60 + 190 * rows,
        "showlegend": False,
        "margin": {"l": 40, "r": 16, "t": 40, "b": 32},
        "bargap": 0.05,
        "annotations": [],
    }
    for number, column in enumerate(columns):
        axis = "" if number == 0 else str(number + 1)
        trace = _trace(column["type"], table.column(column["name"]).combine_chunks().drop_null())
        traces.append({**trace, "xaxis": f"x{axis}", "yaxis": f"y{axis}", "name": column["name"]})
        across, down = number % ACROSS, number // ACROSS
        left, width = across / ACROSS + 0.02, 1 / ACROSS - 0.05
        top = 1 - down / rows
        layout[f"xaxis{axis}"] = {"domain": [left, left + width], "anchor": f"y{axis}", "type": trace["meta"]}
        layout[f"yaxis{axis}"] = {"domain": [top - 0.62 / rows, top - 0.12 / rows], "anchor": f"x{axis}"}
        layout["annotations"].append(
            {
                "text": _short(column["name"]),
                "x": left,
                "y": top - 0.1 / rows,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
    return {"data": traces, "layout": layout}


def _trace(kind: str, present: pa.Array) -> dict[str, Any]:
    """Bars with finished heights, so that a million rows send two dozen numbers. ``meta`` is the axis type."""
    if len(present) == 0:
        return {"type": "bar", "x": [], "y": [], "meta": "category"}
    if kind in ("number", "date"):
        heights, edges = np.histogram(as_numbers(present).to_numpy(), bins=BINS)
        middles = (edges[:-1] + edges[1:]) / 2
        if kind == "date":
            days = np.array(np.round(middles * 86_400), dtype="datetime64[s]")
            return {"type": "bar", "x": [str(day) for day in days], "y": heights.tolist(), "meta": "date"}
        return {"type": "bar", "x": middles.tolist(), "y": heights.tolist(), "meta": "linear"}
    top = commonest(present, BARS)
    return {
        "type": "bar",
        "x": [_short(str(value)) for value, _ in top],
        "y": [count for _, count in top],
        "meta": "category",
    }


def class_figure(counts: Mapping[str, int]) -> dict[str, Any]:
    """Bars of how many samples each class has.

    >>> class_figure({"cat": 2})["data"][0]["y"]
    [2]
    """
    bars = {"type": "bar", "x": [_short(name) for name in counts], "y": list(counts.values())}
    return {
        "data": [bars],
        "layout": {"height": 320, "margin": {"l": 48, "r": 16, "t": 16, "b": 64}, "xaxis": {"type": "category"}},
    }


def _short(text: str) -> str:
    text = text.replace("<", "‹").replace(">", "›")
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
