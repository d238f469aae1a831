"""Measures of a model's answers: numpy in, numbers out.

Called by the evaluate blocks. Legend of shapes: N examples, K classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassReport:
    """Precision, recall, F1 and support of each class: float64 (K,); NaN where nothing can be said."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


def wilson_interval(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Interval for a share, 95 % by default.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc.
    22(158), 1927.

    >>> [round(bound, 4) for bound in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    if count == 0:
        return 0.0, 1.0
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return 0.0 if right == 0 else middle - half, 1.0 if right == count else middle + half


def confusion_matrix(true_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was predicted as each class (column): int64 (K, K).

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(true_N * classes + predicted_N, minlength=classes * classes).reshape(classes, classes)


def class_report(matrix_KK: np.ndarray) -> ClassReport:
    """Precision, recall and F1 of each class from a confusion matrix.

    A class that was never predicted has precision 0 when it occurs; a class that does not occur has recall NaN.

    >>> class_report(np.array([[1, 1], [0, 2]])).recall.tolist()
    [0.5, 1.0]
    """
    right = np.diag(matrix_KK).astype(float)
    support, predicted = matrix_KK.sum(1), matrix_KK.sum(0)
    occurs = support > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(occurs, right / support, np.nan)
        precision = np.where(predicted > 0, right / predicted, np.where(occurs, 0.0, np.nan))
        f1 = np.where(support + predicted > 0, 2 * right / (support + predicted), np.nan)
    return ClassReport(precision, recall, f1, support)


def roc_curve(positive_N: np.ndarray, score_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False- and true-positive rate at every threshold, from (0, 0) to (1, 1).

    Source: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006, algorithm 1.

    >>> false, true = roc_curve(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    >>> false.tolist(), true.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    order = np.argsort(-score_N, kind="stable")
    scores, positive = score_N[order], positive_N[order].astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # equal scores are one threshold
    true = np.cumsum(positive)[last]
    false = 1 + last - true
    return (
        np.append(0.0, false / max(1, int(false[-1]))),
        np.append(0.0, true / max(1, int(true[-1]))),
    )


def area_under(x: np.ndarray, y: np.ndarray) -> float:
    """Area under a curve by trapezoids.

    >>> area_under(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    0.5
    """
    return float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2)


def top_share(true_N: np.ndarray, probability_NK: np.ndarray, k: int) -> float:
    """Share of examples whose true class is among the k most probable.

    >>> top_share(np.array([2]), np.array([[0.5, 0.2, 0.3]]), 2)
    1.0
    """
    own_N = probability_NK[np.arange(len(true_N)), true_N]
    return float(((probability_NK > own_N[:, None]).sum(1) < k).mean())


def regression_measures(true_N: np.ndarray, predicted_N: np.ndarray) -> dict[str, float]:
    """Mean absolute error, root of the mean squared error, and the share of variance explained.

    ``r2`` is left out when all true values are equal. ``baseline_mae`` is the error of always answering the median.

    >>> regression_measures(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    {'mae': 0.5, 'rmse': 0.7071067811865476, 'baseline_mae': 1.0, 'r2': 0.5}
    """
    error = predicted_N - true_N
    measures = {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "baseline_mae": float(np.abs(true_N - np.median(true_N)).mean()),
    }
    spread = float(((true_N - true_N.mean()) ** 2).sum())
    if spread > 0:
        measures["r2"] = 1 - float((error**2).sum()) / spread
    return measures
