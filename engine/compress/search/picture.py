"""The points of a search as a Plotly figure: latency across, accuracy up, size as the size of the dots.

Called by the block. Must not know how points are made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from engine.compress.search.front import Point, front


def pareto_figure(points: Sequence[Point]) -> dict[str, Any]:
    """Plotly's ``data`` and ``layout``: the front as a line, everything else as dots beside it.

    >>> figure = pareto_figure([Point("given", (), 100, 2.0, 0.9, 1, 1, "eager", 0.0, baseline=True)])
    >>> figure["data"][0]["x"], figure["data"][0]["y"]
    ([2.0], [0.9])
    """
    on = front(points)
    names = {point.name for point in on}
    kept = [point for point in points if point.name not in names and point.status == "kept"]
    refused = [point for point in points if point.name not in names and point.status == "refused"]
    largest = max((point.size_bytes for point in points), default=1)
    traces = [_trace("On the front", on, largest, "lines+markers")]
    traces += [_trace("Beaten", kept, largest, "markers", opacity=0.5)] if kept else []
    traces += [_trace("Refused", refused, largest, "markers", symbol="x", opacity=0.5)] if refused else []
    layout = {
        "title": {"text": "Latency, accuracy and size"},
        "xaxis": {"title": {"text": "Latency of one example (ms)"}, "type": "log"},
        "yaxis": {"title": {"text": "Accuracy"}, "tickformat": ".1%"},
        "hovermode": "closest",
    }
    return {"data": traces, "layout": layout}


def _trace(name: str, points: Sequence[Point], largest: int, mode: str, **marker: Any) -> dict[str, Any]:
    sizes = [8 + 24 * math.sqrt(point.size_bytes / largest) for point in points]
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": [point.latency_ms for point in points],
        "y": [point.accuracy for point in points],
        "text": [f"{point.name} ({point.size_bytes / 2**20:.2f} MiB)" for point in points],
        "marker": {"size": sizes, **marker},
        "line": {"shape": "hv", "dash": "dot"},
    }
