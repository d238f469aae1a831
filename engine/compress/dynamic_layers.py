"""A linear layer that rounds its inputs when they come: weights and inputs of 8 bits, the range read off the inputs.

Called by the dynamic quantiser. One operator, the same in the simulation and in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compress.rounding import ACTIVATIONS

RUNTIME_DOMAIN = "com.microsoft"


@torch.library.custom_op("deepseek::dynamic_linear", mutates_args=())
def dynamic_linear(x: Tensor, codes: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Products in whole numbers of 8 bits.

    Parameters
    ----------
    x
        float32 (..., K): rounded to 256 steps between its smallest and its largest value, and 0.
    codes
        int8 (K, N): the weight, turned.
    scale
        float32 (N,): what one step of a column's weights is.
    bias
        float32 (N,).

    Returns
    -------
    Tensor
        float32 (..., N).

    Examples
    --------
    >>> one = torch.ones(1)
    >>> dynamic_linear(torch.tensor([[1.0, -1.55]]), torch.tensor([[2], [0]], dtype=torch.int8), one, one).tolist()
    [[3.0]]
    """
    return functional.linear(round_by_itself(x), codes.T.float() * scale[:, None], bias)


@dynamic_linear.register_fake
def _(x: Tensor, codes: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:-1], codes.shape[1]))


def round_by_itself(x: Tensor) -> Tensor:
    """Values rounded to 256 steps of their own range, as ONNX's ``DynamicQuantizeLinear`` does.

    >>> round_by_itself(torch.tensor([0.0, 0.3, 255.0])).tolist()
    [0.0, 0.0, 255.0]
    """
    top = ACTIVATIONS.high
    low, high = x.amin().clamp(max=0.0), x.amax().clamp(min=0.0)
    step = (high - low) / top
    step = torch.where(step > 0, step, torch.ones_like(step))
    zero = (-low / step).round().clamp(0, top)
    return ((x / step).round() + zero).clamp(0, top).sub(zero).mul(step)


class DynamicLinear(nn.Module):
    """See :func:`dynamic_linear`.

    Parameters
    ----------
    codes, scale
        int8 (N, K), and float32 (N,).
    bias
        float32 (N,), or None.
    """

    codes: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, codes: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = codes.shape
        self.register_buffer("codes", codes.T.contiguous())
        self.register_buffer("scale", scale)
        self.register_buffer("bias", torch.zeros(len(scale)) if bias is None else bias.detach().clone())

    @property
    def weight(self) -> Tensor:
        """float32 (N, K)."""
        return self.codes.T.float() * self.scale[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """``(..., K)`` -> ``(..., N)``."""
        made: Tensor = dynamic_linear(x, self.codes, self.scale, self.bias)
        return made


def translations() -> dict[Any, Callable[..., Any]]:
    """How the operator is written in ONNX: as ONNX Runtime's ``DynamicQuantizeMatMul``."""
    import onnxscript
    from onnx.defs import OpSchema

    optional = OpSchema.FormalParameterOption.Optional
    kinds = [("F", ["tensor(float)"], ""), ("W", ["tensor(int8)"], "")]
    schema = OpSchema(
        "DynamicQuantizeMatMul", RUNTIME_DOMAIN, 1,
        inputs=[
            OpSchema.FormalParameter("A", "F"),
            OpSchema.FormalParameter("B", "W"),
            OpSchema.FormalParameter("b_scale", "F"),
            OpSchema.FormalParameter("b_zero_point", "W", param_option=optional),
            OpSchema.FormalParameter("bias", "F", param_option=optional),
        ],
        outputs=[OpSchema.FormalParameter("Y", "F")],
        type_constraints=kinds,
        attributes=[],
    )  # fmt: skip
    operator: Any = onnxscript.values.Op(onnxscript.values.Opset(RUNTIME_DOMAIN, 1), "DynamicQuantizeMatMul", schema)

    def translate(x: Any, codes: Any, scale: Any, bias: Any) -> Any:
        return operator(x, codes, scale, None, bias)

    return {torch.ops.deepseek.dynamic_linear.default: translate}
