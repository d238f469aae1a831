"""Measure a classifier or a regressor on a data set: pure numbers and figures.

Called by the evaluate blocks, which write them as artifacts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.learn.measure import metrics
from engine.learn.measure.figures import Figure, confusion_figure, roc_figure


@dataclass(frozen=True)
class Classified:
    """What was measured.

    Attributes
    ----------
    numbers
        ``accuracy, accuracy_low, accuracy_high, baseline_accuracy, macro_precision, macro_recall, macro_f1, auc,
        loss``, with more than 5 classes ``top5_accuracy``, and ``count``.
    report
        Columns of the per-class table.
    """

    numbers: dict[str, float]
    report: dict[str, list[Any]]
    confusion: Figure
    roc: Figure


def measure_classifier(logits_NK: Tensor, true_N: Tensor, classes: list[str]) -> Classified:
    """Measure answers against the truth.

    Parameters
    ----------
    logits_NK
        float32 (N, K) outputs of the network.
    true_N
        int64 (N,).
    classes
        The K names.
    """
    probability_NK = torch.softmax(logits_NK.double(), dim=1).numpy()
    true, predicted = true_N.numpy(), probability_NK.argmax(1)
    matrix = metrics.confusion_matrix(true, predicted, len(classes))
    report = metrics.class_report(matrix)
    right, count = int(np.trace(matrix)), len(true)
    low, high = metrics.wilson_interval(right, count)
    curves = _curves(true, probability_NK, classes)
    numbers = {
        "accuracy": right / count,
        "accuracy_low": low,
        "accuracy_high": high,
        "baseline_accuracy": float(matrix.sum(1).max()) / count,
        "loss": float(torch.nn.functional.cross_entropy(logits_NK.double(), true_N)),
        "count": float(count),
    }
    for name, values in (("precision", report.precision), ("recall", report.recall), ("f1", report.f1)):
        numbers[f"macro_{name}"] = float(values[~np.isnan(values)].mean())
    if curves:
        numbers["auc"] = float(np.mean([area for _, _, area in curves.values()]))
    if len(classes) > 5:
        numbers["top5_accuracy"] = metrics.top_share(true, probability_NK, 5)
    table = {
        "class": list(classes),
        "precision": _listed(report.precision),
        "recall": _listed(report.recall),
        "f1": _listed(report.f1),
        "support": report.support.tolist(),
    }
    return Classified(numbers, table, confusion_figure(matrix, classes), roc_figure(curves))


def _curves(
    true_N: np.ndarray, probability_NK: np.ndarray, classes: list[str]
) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """ROC of each class against the rest, where both occur."""
    curves = {}
    for number, name in enumerate(classes):
        positive = true_N == number
        if positive.any() and not positive.all():
            false, hits = metrics.roc_curve(positive, probability_NK[:, number])
            curves[name] = (false, hits, metrics.area_under(false, hits))
    return curves


def _listed(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]
