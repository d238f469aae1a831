"""Figures of an evaluation as plain Plotly JSON.

Called by the evaluate and train blocks. Plotly itself is not imported: a figure is a mapping with ``data`` and
``layout``. Colours that a theme decides (text, background) are left to whoever shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MAX_POINTS = 200
MAX_CURVES = 20
Figure = dict[str, Any]


def confusion_figure(matrix_KK: np.ndarray, classes: Sequence[str]) -> Figure:
    """A confusion matrix as a heat map: ``x`` predicted and ``y`` true class names, ``z`` counts."""
    heat: dict[str, Any] = {
        "type": "heatmap",
        "x": list(classes),
        "y": list(classes),
        "z": matrix_KK.tolist(),
        "colorscale": [[0, "#eef2fb"], [1, "#2746b8"]],
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{z}<extra></extra>",
        "xgap": 1,
        "ygap": 1,
    }
    if len(classes) <= MAX_CURVES:
        heat |= {"text": [[str(cell) for cell in row] for row in matrix_KK.tolist()], "texttemplate": "%{text}"}
    axis = {"type": "category", "constrain": "domain"}
    layout = {
        "xaxis": {**axis, "title": {"text": "predicted"}},
        "yaxis": {**axis, "title": {"text": "true"}, "autorange": "reversed"},
        "margin": {"l": 90, "r": 20, "t": 20, "b": 70},
    }
    return {"data": [heat], "layout": layout}


def roc_figure(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]]) -> Figure:
    """ROC curves, one class against the rest.

    Parameters
    ----------
    curves
        Class name -> false-positive rate, true-positive rate, area. The 20 smallest areas are drawn.
    """
    worst = sorted(curves, key=lambda name: curves[name][2])[:MAX_CURVES]
    lines = []
    for name in (n for n in curves if n in worst):
        false, true, area = curves[name]
        kept = thin(len(false))
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{name} ({area:.3f})",
                "x": false[kept].round(5).tolist(),
                "y": true[kept].round(5).tolist(),
                "hovertemplate": "false positives %{x:.1%}<br>true positives %{y:.1%}<extra>%{fullData.name}</extra>",
            }
        )
    chance = {
        "type": "scatter", "mode": "lines", "name": "chance", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip",
        "line": {"dash": "dot", "color": "#888888"},
    }  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "false-positive rate"}, "range": [0, 1]},
        "yaxis": {"title": {"text": "true-positive rate"}, "range": [0, 1.02]},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 60},
    }
    return {"data": [*lines, chance], "layout": layout}


def regression_figure(true_N: np.ndarray, predicted_N: np.ndarray, target: str) -> Figure:
    """Predicted against true values, and the line where both are equal."""
    kept = thin(len(true_N), 2000)
    low = float(min(true_N.min(), predicted_N.min()))
    high = float(max(true_N.max(), predicted_N.max()))
    points = {
        "type": "scatter", "mode": "markers", "name": target, "x": _round(true_N[kept]), "y": _round(predicted_N[kept]),
        "marker": {"size": 6, "opacity": 0.6},
    }  # fmt: skip
    line = {
        "type": "scatter", "mode": "lines", "name": "equal", "x": [low, high], "y": [low, high], "hoverinfo": "skip",
        "line": {"dash": "dot", "color": "#888888"},
    }  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": f"true {target}"}},
        "yaxis": {"title": {"text": f"predicted {target}"}},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 60},
    }
    return {"data": [points, line], "layout": layout}


def history_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Loss by epoch, training and validation."""
    epochs = list(range(1, len(history) + 1))
    lines = [
        {
            "type": "scatter", "mode": "lines+markers", "name": title, "x": epochs,
            "y": [float(f"{row[name]:.6g}") for row in history],
        }
        for name, title in (("train_loss", "training"), ("validation_loss", "validation"))
        if history and name in history[0]
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "epoch"}},
        "yaxis": {"title": {"text": "loss"}},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 60},
    }
    return {"data": lines, "layout": layout}


def rate_figure(rates: Sequence[float], losses: Sequence[float], suggested: float) -> Figure:
    """Loss over learning rate, on a logarithmic axis, and the rate that is suggested."""
    low, high = min(losses), max(losses[: max(2, len(losses) // 2)])
    curve = {
        "type": "scatter", "mode": "lines", "name": "loss", "x": [float(f"{rate:.6g}") for rate in rates],
        "y": [float(f"{loss:.6g}") for loss in losses],
    }  # fmt: skip
    mark = {
        "type": "scatter", "mode": "lines", "name": f"suggested: {suggested:.2g}",
        "x": [float(f"{suggested:.6g}")] * 2, "y": [float(f"{low:.6g}"), float(f"{high:.6g}")],
        "line": {"dash": "dash"},
    }  # fmt: skip
    layout = {
        "xaxis": {"type": "log", "title": {"text": "learning rate"}},
        "yaxis": {"title": {"text": "loss"}},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 60},
    }
    return {"data": [curve, mark], "layout": layout}


def thin(count: int, most: int = MAX_POINTS) -> np.ndarray:
    """Evenly spread places among ``count``, with the first and the last, at most ``most``.

    >>> thin(5, 3).tolist()
    [0, 2, 4]
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _round(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
