"""Weights as whole numbers of 4 or 8 bits, with a scale and a zero point for every few columns of a row.

Called by the quantisers of weights. A layer keeps its whole numbers and makes floats of them when it computes, through
one operator, so that what is simulated and what is written as ONNX is the same thing. A table of words that also scores
words is kept once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

DOMAIN = "deepseek"
OPERATOR = "FromGroups"


@dataclass(frozen=True)
class Groups:
    """A matrix of whole numbers.

    Attributes
    ----------
    codes
        uint8 (N, K), each from 0 to ``2**bits - 1``.
    scale
        float32 (N, G), ``G = ceil(K / group)``: one for each group of columns.
    zero
        uint8 (N, G): the whole number that stands for 0.
    bits, group
        Width of a number, and columns of a group.
    """

    codes: Tensor
    scale: Tensor
    zero: Tensor
    bits: int
    group: int

    @property
    def bytes(self) -> int:
        """What it takes in a file: numbers and zero points packed, scales in float32."""
        rows, columns = self.codes.shape
        groups = self.scale.shape[1]
        packed = groups * self.group * self.bits // 8
        assert columns <= groups * self.group
        return rows * (packed + 4 * groups + (groups * self.bits + 7) // 8)


@torch.library.custom_op("deepseek::from_groups", mutates_args=())
def from_groups(codes: Tensor, scale: Tensor, zero: Tensor, bits: int, group: int) -> Tensor:
    """Floats of whole numbers: ``(codes - zero) * scale``, with the scale and zero point of the column's group.

    Parameters
    ----------
    codes, scale, zero
        As in :class:`Groups`.
    bits
        4 or 8; needed by the file only.
    group
        Columns that share a scale.

    Returns
    -------
    Tensor
        float32 (N, K).

    Examples
    --------
    >>> codes = torch.tensor([[0, 15, 8]], dtype=torch.uint8)
    >>> zero = torch.tensor([[8, 0]], dtype=torch.uint8)
    >>> from_groups(codes, torch.tensor([[0.5, 2.0]]), zero, 4, 2).tolist()
    [[-4.0, 3.5, 16.0]]
    """
    columns = codes.shape[1]
    wide_scale = scale.repeat_interleave(group, 1)[:, :columns]
    wide_zero = zero.repeat_interleave(group, 1)[:, :columns]
    return (codes.float() - wide_zero.float()) * wide_scale


@from_groups.register_fake
def _(codes: Tensor, scale: Tensor, zero: Tensor, bits: int, group: int) -> Tensor:
    return torch.empty(codes.shape, dtype=scale.dtype, device=codes.device)


def translations() -> dict[Any, Callable[..., Any]]:
    """How the operator is written in ONNX: as one of our own, which :mod:`engine.compress.int4_onnx` replaces."""
    import onnxscript
    from onnx.defs import OpSchema

    numbers = [OpSchema.FormalParameter(*pair) for pair in (("codes", "C"), ("scale", "S"), ("zero", "C"))]
    schema = OpSchema(
        OPERATOR, DOMAIN, 1,
        inputs=numbers,
        outputs=[OpSchema.FormalParameter("weight", "S")],
        type_constraints=[("C", ["tensor(uint8)"], ""), ("S", ["tensor(float)"], "")],
        attributes=[OpSchema.Attribute(name, OpSchema.AttrType.INT, "") for name in ("bits", "group")],
    )  # fmt: skip
    operator: Any = onnxscript.values.Op(onnxscript.values.Opset(DOMAIN, 1), OPERATOR, schema)

    def translate(codes: Any, scale: Any, zero: Any, bits: int, group: int) -> Any:
        return operator(codes, scale, zero, bits=bits, group=group)

    return {torch.ops.deepseek.from_groups.default: translate}


class _Grouped(nn.Module):
    """Keeps a matrix of whole numbers."""

    codes: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, groups: Groups) -> None:
        super().__init__()
        self.register_buffer("codes", groups.codes)
        self.register_buffer("scale", groups.scale)
        self.register_buffer("zero", groups.zero)
        self.bits, self.group = groups.bits, groups.group

    @property
    def weight(self) -> Tensor:
        """float32 (N, K)."""
        weight: Tensor = from_groups(self.codes, self.scale, self.zero, self.bits, self.group)
        return weight


class GroupedLinear(_Grouped):
    """A linear layer with such a weight.

    Parameters
    ----------
    bias
        float32 (N,), or None.
    """

    def __init__(self, groups: Groups, bias: Tensor | None) -> None:
        super().__init__(groups)
        self.out_features, self.in_features = groups.codes.shape
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., K)`` -> ``(..., N)``."""
        return functional.linear(x, self.weight, self.bias)


class GroupedEmbedding(_Grouped):
    """A table of rows with such a weight."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups)
        self.num_embeddings, self.embedding_dim = groups.codes.shape

    def forward(self, x: Tensor) -> Tensor:
        """Whole numbers ``(...)`` -> rows ``(..., K)``."""
        return functional.embedding(x, self.weight)
