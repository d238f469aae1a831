"""Rounding to a grid and back: what quantisation does to numbers, in PyTorch and in ONNX alike.

Called by the quantisers. The operator is one node of the graph, so that what is simulated, trained through and exported
is the same thing: ONNX gets ``QuantizeLinear`` and ``DequantizeLinear``, which runtimes fuse into integer kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Grid:
    """The whole numbers that values are rounded to.

    Attributes
    ----------
    low, high
        Smallest and largest.
    """

    low: int
    high: int


ACTIVATIONS = Grid(0, 255)
"""Unsigned with a zero point: the form that CPUs have the fastest kernels for."""
WEIGHTS = Grid(-127, 127)
"""Symmetric; -128 is left out, so that a product of two fits the 16 bits that older CPUs add in."""


@torch.library.custom_op("deepseek::round_trip", mutates_args=())
def round_trip(x: Tensor, scale: Tensor, zero: Tensor, axis: int, low: int, high: int) -> Tensor:
    """Round to the grid and back: ``(clamp(round(x / scale + zero), low, high) - zero) * scale``.

    Parameters
    ----------
    x
        float32, any shape.
    scale, zero
        float32: one number each, or one for each place along ``axis``. ``zero`` holds whole numbers.
    axis
        -1: one scale for the whole tensor.
    low, high
        Ends of the grid.

    Notes
    -----
    The gradient passes where a value lies on the grid and is 0 where it was cut: Y. Bengio et al., "Estimating or
    propagating gradients through stochastic neurons", 2013. That of the scale is the one of S. Esser et al., "Learned
    step size quantization", ICLR 2020, equation 3.

    Examples
    --------
    >>> step, zero = torch.tensor(0.5), torch.tensor(0.0)
    >>> round_trip(torch.tensor([0.2, 0.3, 9.0]), step, zero, -1, 0, 4).tolist()
    [0.0, 0.5, 2.0]
    """
    scale, zero = _spread(scale, x, axis), _spread(zero, x, axis)
    return ((x / scale).round_().add_(zero).clamp_(low, high).sub_(zero)).mul_(scale)


@round_trip.register_fake
def _(x: Tensor, scale: Tensor, zero: Tensor, axis: int, low: int, high: int) -> Tensor:
    return torch.empty_like(x)


def _spread(value: Tensor, x: Tensor, axis: int) -> Tensor:
    if axis < 0:
        return value
    shape = [1] * x.ndim
    shape[axis] = -1
    return value.reshape(shape)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, scale, zero, ctx.axis, ctx.low, ctx.high = inputs
    ctx.save_for_backward(x, scale, zero)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    x, scale, zero = ctx.saved_tensors
    wide, start = _spread(scale, x, ctx.axis), _spread(zero, x, ctx.axis)
    place = x / wide + start
    inside = (place >= ctx.low) & (place <= ctx.high)
    to_x = gradient * inside
    if not ctx.needs_input_grad[1]:
        return to_x, None, None, None, None, None
    slope = torch.where(inside, place.round() - place, place.clamp(ctx.low, ctx.high) - start)
    share = gradient * slope
    kept = [n for n in range(x.ndim) if n != ctx.axis]
    to_scale = share.sum() if ctx.axis < 0 else share.sum(kept)
    return to_x, to_scale.reshape(scale.shape), None, None, None, None


round_trip.register_autograd(_backward, setup_context=_remember)


class Rounded(nn.Module):
    """Rounds what passes through it.

    Parameters
    ----------
    scale, zero
        As in :func:`round_trip`.
    """

    scale: Tensor
    zero: Tensor

    def __init__(self, scale: Tensor, zero: Tensor, grid: Grid, axis: int = -1) -> None:
        super().__init__()
        self.register_buffer("scale", scale.detach().clone())
        self.register_buffer("zero", zero.detach().clone())
        self.grid, self.axis = grid, axis

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        rounded: Tensor = round_trip(x, self.scale, self.zero, self.axis, self.grid.low, self.grid.high)
        return rounded


class RoundedWeight(nn.Module):
    """A convolution or linear layer whose weight is rounded, with a scale for each output channel.

    Parameters
    ----------
    layer
        ``nn.Conv1d/2d/3d`` or ``nn.Linear``; kept, and trained through.
    """

    def __init__(self, layer: nn.Module, grid: Grid = WEIGHTS) -> None:
        super().__init__()
        self.layer = layer
        weight: Tensor = layer.weight  # type: ignore[assignment]  # an attribute of every such layer
        self.rounded = Rounded(*symmetric_scale(weight.detach(), grid), grid, axis=0)

    def forward(self, x: Tensor) -> Tensor:
        """As the layer."""
        weight: Tensor = self.layer.weight  # type: ignore[assignment]  # as above
        rounded = {"weight": self.rounded(weight)}
        out: Tensor = torch.func.functional_call(self.layer, rounded, (x,))
        return out


def symmetric_scale(weight: Tensor, grid: Grid = WEIGHTS) -> tuple[Tensor, Tensor]:
    """Scale and zero point of each output channel (the first axis), so that its largest weight is the grid's end.

    >>> scale, zero = symmetric_scale(torch.tensor([[1.27, -0.5], [0.0, 0.0]]))
    >>> [round(float(s), 4) for s in scale], zero.tolist()
    ([0.01, 1.0], [0.0, 0.0])
    """
    largest = weight.abs().flatten(1).amax(1)
    scale = torch.where(largest > 0, largest / grid.high, torch.ones_like(largest))
    return scale, torch.zeros_like(scale)


def affine_scale(low: float, high: float, grid: Grid = ACTIVATIONS) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a range; 0 is always in it, since padding and ReLU need it exactly.

    >>> scale, zero = affine_scale(-1.0, 1.55)
    >>> round(float(scale), 4), float(zero)
    (0.01, 100.0)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (grid.high - grid.low) or 1.0
    zero = round(grid.low - low / scale)
    return torch.tensor(scale, dtype=torch.float32), torch.tensor(float(zero))


def onnx_translations() -> dict[Any, Callable[..., Any]]:
    """How the operator is written in ONNX: for ``custom_translation_table`` of ``torch.onnx.export``."""
    import onnxscript

    op: Any = onnxscript.opset20  # its stubs know no values of symbolic type

    def translate(x: Any, scale: Any, zero: Any, axis: int, low: int, high: int) -> Any:
        from onnx import TensorProto

        whole = op.Cast(zero, to=TensorProto.INT8 if low < 0 else TensorProto.UINT8)
        along = {"axis": axis} if axis >= 0 else {}
        return op.DequantizeLinear(op.QuantizeLinear(x, scale, whole, **along), scale, whole, **along)

    return {torch.ops.deepseek.round_trip.default: translate}
