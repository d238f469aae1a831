"""Weights as whole numbers with one scale for each output channel, in 4 or 8 bits, the error carried on.

Called by the mixed quantiser. This is the form that integer convolutions compute with; 4 bits are kept as such in the
file and widened when it is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.compress.int4_solve import SHARES, carried
from engine.compress.rounding import Grid, RoundedWeight, symmetric_scale

WIDER = (1.15, 1.0, 0.92, 0.85, 0.78, 0.7, 0.62, 0.54, 0.46)


@dataclass(frozen=True)
class Channels:
    """A rounded weight.

    Attributes
    ----------
    codes
        float32, shaped as the weight, of whole numbers on the grid.
    scale
        float32 (N,).
    grid
        The ends of the whole numbers.
    error
        Squared error of what the layer makes, relative to its size.
    """

    codes: Tensor
    scale: Tensor
    grid: Grid
    error: float

    @property
    def bytes(self) -> int:
        """What it takes in a file."""
        bits = (self.grid.high + 1).bit_length()
        return self.codes.numel() * bits // 8 + 4 * len(self.scale)

    def put_into(self, layer: RoundedWeight) -> None:
        """Let a layer compute with this weight."""
        inner = layer.layer
        shape = [-1] + [1] * (self.codes.ndim - 1)
        inner.weight = nn.Parameter(self.codes * self.scale.reshape(shape))
        layer.rounded.scale, layer.rounded.zero = self.scale.clone(), torch.zeros_like(self.scale)
        layer.rounded.grid = self.grid


def round_channels(
    weight: Tensor, moments: Tensor | None, bits: int, check: Callable[[], None] = lambda: None
) -> Channels:
    """Round a weight by channel.

    Parameters
    ----------
    weight
        float32 (N, ...) of a convolution or a linear layer.
    moments
        float32 (K, K), as in :func:`engine.compress.int4_solve.solve`, K the numbers of a channel; None: every number
        counts alike.
    bits
        4 or 8.

    Notes
    -----
    Scales are searched by the error weighted with the inputs' size, rounded with the error carried on, and then solved
    for once more: for one scale a row that is a quotient.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> weight, x = torch.randn(4, 8, 3, 3), torch.randn(500, 72) @ torch.randn(72, 72)
    >>> plain = round_channels(weight, None, 4)
    >>> full = x.T @ x / 500
    >>> round_channels(weight, full, 4).error < error_of(plain, weight, full)
    True
    """
    top = 2 ** (bits - 1) - 1
    grid = Grid(-top, top)
    flat = weight.detach().float().flatten(1)
    full = torch.eye(flat.shape[1]) if moments is None or not bool(moments.any()) else moments.float()
    scale = _searched(flat, full.diagonal(), grid)

    def step(values: Tensor, column: int) -> tuple[Tensor, Tensor]:
        code = (values / scale).round().clamp_(-top, top)
        return code, code * scale

    codes = (flat / scale[:, None]).round().clamp(-top, top) if moments is None else carried(flat, full, step, check)
    through = codes @ full
    size = (through * codes).sum(1)
    fitted = torch.where(size > 0, (through * flat).sum(1) / size.clamp(min=1e-30), scale)
    is_sane = (fitted > 0.5 * scale) & (fitted < 2 * scale)
    scale = torch.where(is_sane, fitted, scale)
    found = Channels(codes.reshape(weight.shape), scale, grid, 0.0)
    return Channels(found.codes, scale, grid, error_of(found, weight, full))


def error_of(found: Channels, weight: Tensor, moments: Tensor) -> float:
    """Squared error of the products, relative to their size."""
    flat = weight.detach().float().flatten(1)
    wrong = found.codes.flatten(1) * found.scale[:, None] - flat
    total = float(((flat @ moments) * flat).sum())
    return float(((wrong @ moments) * wrong).sum()) / max(total, 1e-30)


def _searched(flat: Tensor, importance: Tensor, grid: Grid) -> Tensor:
    """Of shrunken ranges the one that errs least, for each channel."""
    largest, _ = symmetric_scale(flat, grid)
    best = torch.full_like(largest, torch.inf)
    scale = largest
    for share in (*SHARES, *WIDER):
        tried = largest * share
        codes = (flat / tried[:, None]).round().clamp(grid.low, grid.high)
        error = ((codes * tried[:, None] - flat).square() * importance).sum(1)
        scale = torch.where(error < best, tried, scale)
        best = torch.minimum(error, best)
    return scale
