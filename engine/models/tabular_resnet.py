"""A residual network for rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths


class TabularResNetConfig(ModelConfig):
    """Shape of the network.

    Attributes
    ----------
    in_features
        Numbers in one row.
    width
        Width of the stream that every block adds to.
    inner_widths
        Width inside each block; there are as many blocks as widths.
    dropout
        Share of activations dropped inside each block.
    """

    in_features: int | None = Field(None, ge=1)
    width: int = Field(128, ge=1)
    inner_widths: list[int] = Field(default=[256, 256, 256], max_length=64)
    dropout: float = Field(0.1, ge=0, lt=1)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The number of inputs is the product of the shape."""
        return {"num_classes": num_classes, "in_features": math.prod(shape)}


def _widths(config: TabularResNetConfig) -> Widths:
    return Widths({"inner_widths": config.inner_widths, "width": config.width}, streams=("width",))


@architecture("tabular_resnet", config=TabularResNetConfig, inputs=("table",), head="head.", widths=_widths)
def tabular_resnet(config: TabularResNetConfig) -> nn.Module:
    """Blocks of normalisation, linear layer, ReLU and linear layer, each with its shortcut.

    Source: Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko, "Revisiting deep learning models for tabular data",
    NeurIPS 2021, section 3.2.

    >>> import torch
    >>> tabular_resnet(TabularResNetConfig(in_features=13, num_classes=1)).eval()(torch.zeros(2, 13)).shape
    torch.Size([2, 1])
    """
    return TabularResNet(config)


class TabularResNet(nn.Module):
    """See :func:`tabular_resnet`."""

    def __init__(self, config: TabularResNetConfig) -> None:
        super().__init__()
        assert config.in_features is not None
        assert config.num_classes is not None
        self.first = nn.Linear(config.in_features, config.width)
        self.blocks = nn.ModuleList(Block(config.width, inner, config.dropout) for inner in config.inner_widths)
        self.norm = nn.BatchNorm1d(config.width)
        self.head = nn.Linear(config.width, config.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(B, num_classes)`` of rows ``(B, in_features)``."""
        outputs: Tensor = self.head(self.features(x))
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, width)``."""
        h_BD = self.first(x.flatten(1))
        for block in self.blocks:
            h_BD = block(h_BD)
        return functional.relu(self.norm(h_BD))


class Block(nn.Module):
    """One step of the stream."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.first = nn.Linear(width, inner)
        self.second = nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BD: Tensor) -> Tensor:
        """``(B, width)`` -> ``(B, width)``."""
        h_BI = self.dropout(functional.relu(self.first(self.norm(x_BD))))
        added: Tensor = x_BD + self.second(h_BI)
        return added
