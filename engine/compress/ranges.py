"""Ranges of activations: which part of what was seen the grid should cover.

Called by the quantisers while calibrating. Pure functions of a histogram; which of them is taken is measured, tensor by
tensor, in :mod:`engine.compress.calibrate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.compress.rounding import ACTIVATIONS, Grid

Range = tuple[float, float]
Array = NDArray[Any]
BINS = 2048
TRIES = 80


class Histogram:
    """Counts of values in equal bins, over many batches.

    The bins cover what the first batch spans, twice over on each side where it lies, and whatever comes later that is
    further out falls into the outermost bin while ``low`` and ``high`` stay exact.

    Examples
    --------
    >>> seen = Histogram()
    >>> seen.add(torch.tensor([0.0, 1.0, 2.0]))
    >>> seen.low, seen.high, int(seen.counts.sum())
    (0.0, 2.0, 3)
    """

    def __init__(self, bins: int = BINS) -> None:
        self.low, self.high = math.inf, -math.inf
        self.counts: Array = np.zeros(bins)
        self.edges: Array = np.zeros(0)

    def add(self, values: Tensor) -> None:
        """Count values of any shape; those that are not finite are left out."""
        values = values.detach().float().flatten()
        finite = torch.isfinite(values)
        if not bool(finite.all()):
            values = values[finite]
        if not len(values):
            return
        low, high = (float(end) for end in torch.aminmax(values))
        self.low, self.high = min(self.low, low), max(self.high, high)
        if not self.edges.size:
            margin = max(self.high - self.low, 1e-12) / 2
            below = self.low - margin if self.low < 0 else 0.0
            above = self.high + margin if self.high > 0 else 0.0
            self.edges = np.linspace(below, above, len(self.counts) + 1)
        first, last = float(self.edges[0]), float(self.edges[-1])
        if low < first or high > last:
            values = values.clamp(first, last)
        self.counts += torch.histc(values, len(self.counts), first, last).numpy()

    @property
    def centres(self) -> Array:
        """Middle of each bin."""
        centres: Array = (self.edges[:-1] + self.edges[1:]) / 2
        return centres


def min_max(seen: Histogram) -> Range:
    """All that was seen.

    >>> seen = Histogram(); seen.add(torch.tensor([-1.0, 3.0])); min_max(seen)
    (-1.0, 3.0)
    """
    return seen.low, seen.high


def percentile(seen: Histogram, share: float = 0.9999) -> Range:
    """All but the outermost: half of ``1 - share`` is cut at each end that has values beyond 0.

    Source: J. McKinstry et al., "Discovering low-precision networks close to full-precision networks", 2018.

    >>> seen = Histogram(); seen.add(torch.cat([torch.linspace(0, 1, 9999), torch.tensor([100.0])]))
    >>> percentile(seen, 0.999)[1] < 2
    True
    """
    total = np.cumsum(seen.counts) / max(1.0, seen.counts.sum())
    cut = (1 - share) / 2 if seen.low < 0 < seen.high else 1 - share
    first = int(np.searchsorted(total, cut, side="right"))
    last = min(int(np.searchsorted(total, 1 - cut)) + 1, len(seen.counts))
    low = float(seen.edges[first]) if seen.low < 0 else 0.0
    high = float(seen.edges[last]) if seen.high > 0 else 0.0
    return max(low, seen.low), min(high, seen.high)


def least_squares(seen: Histogram, grid: Grid = ACTIVATIONS) -> Range:
    """The range with the smallest mean squared error of rounding and cutting, among shrunken ones.

    Source: R. Banner et al., "Post training 4-bit quantization of convolutional networks for rapid-deployment",
    NeurIPS 2019, by search over the histogram instead of a law of its shape.

    >>> _ = torch.manual_seed(0)
    >>> seen = Histogram(); seen.add(torch.distributions.StudentT(3).sample((100_000,)))
    >>> least_squares(seen)[1] < 0.9 * seen.high
    True
    """
    return _best(seen, lambda low, high: _squared_error(seen, low, high, grid))


def entropy(seen: Histogram, grid: Grid = ACTIVATIONS) -> Range:
    """The range whose rounded values are distributed most like the true ones (smallest divergence).

    Source: S. Migacz, "8-bit inference with TensorRT", GTC 2017, pages 31 to 38.

    >>> _ = torch.manual_seed(0)
    >>> seen = Histogram(); seen.add(torch.cat([torch.randn(100_000), torch.tensor([50.0])]))
    >>> bool(3 < entropy(seen)[1] < 25)
    True
    """
    return _best(seen, lambda low, high: _divergence(seen, low, high, grid))


METHODS: Mapping[str, Callable[[Histogram], Range]] = {
    "min_max": min_max,
    "percentile": percentile,
    "least_squares": least_squares,
    "entropy": entropy,
}


def _best(seen: Histogram, cost: Callable[[float, float], float]) -> Range:
    """The cheapest of the shrunken ranges; of equal ones the widest."""
    shares = np.linspace(1.0, 0.05, TRIES)
    costs = [cost(seen.low * share, seen.high * share) for share in shares]
    share = float(shares[int(np.argmin(costs))])
    return seen.low * share, seen.high * share


def _squared_error(seen: Histogram, low: float, high: float, grid: Grid) -> float:
    step = (max(high, 0.0) - min(low, 0.0)) / (grid.high - grid.low)
    if step <= 0:
        return float("inf")
    start = round(min(low, 0.0) / step)
    rounded = np.clip(np.round(seen.centres / step), start, start + grid.high - grid.low) * step
    return float((seen.counts * (rounded - seen.centres) ** 2).sum())


def _divergence(seen: Histogram, low: float, high: float, grid: Grid) -> float:
    inside = (seen.edges[1:] > min(low, 0.0)) & (seen.edges[:-1] < max(high, 0.0))
    if inside.sum() < 2:
        return float("inf")
    true = seen.counts[inside].copy()
    true[0] += seen.counts[: int(np.argmax(inside))].sum()
    true[-1] += seen.counts[len(inside) - int(np.argmax(inside[::-1])) :].sum()
    # Bins that share a step of the grid become alike, but for empty ones, which stay empty.
    levels = grid.high - grid.low + 1
    group = (np.arange(len(true)) * levels) // len(true)
    filled = true > 0
    total = np.bincount(group, true, levels)
    count = np.bincount(group, filled, levels)
    alike = np.where(filled, (total / np.maximum(count, 1))[group], 0.0)
    p, q = true / true.sum(), alike / max(alike.sum(), 1e-12)
    return float((p[filled] * np.log(p[filled] / np.maximum(q[filled], 1e-12))).sum())
