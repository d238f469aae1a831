"""Multi-layer perceptron: for rows of a table, and for small images, which it flattens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths


class MLPConfig(ModelConfig):
    """Shape of a perceptron.

    Attributes
    ----------
    in_features
        Numbers in one example: features of a row, or C x H x W of an image.
    hidden
        Width of each hidden layer.
    dropout
        Share of activations dropped after each hidden layer.
    """

    in_features: int | None = Field(None, ge=1)
    hidden: list[int] = Field(default=[256, 128], max_length=64)
    dropout: float = Field(0.0, ge=0, lt=1)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The number of inputs is the product of the shape."""
        return {"num_classes": num_classes, "in_features": math.prod(shape)}


@architecture(
    "mlp",
    config=MLPConfig,
    inputs=("images", "table"),
    head="head.",
    widths=lambda config: Widths({"hidden": config.hidden}),
)
def mlp(config: MLPConfig) -> nn.Module:
    """Linear layers with ReLU between them.

    Sources: D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986; initial weights: K. He et al., "Delving deep into rectifiers", ICCV 2015.

    >>> config = MLPConfig(in_features=64, num_classes=10, hidden=[32])
    >>> [tuple(p.shape) for p in mlp(config).parameters()]
    [(32, 64), (32,), (10, 32), (10,)]
    """
    return MLP(config)


class MLP(nn.Module):
    """See :func:`mlp`."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        if config.in_features is None or config.num_classes is None:
            raise ValueError("in_features and num_classes are needed")
        widths = [config.in_features, *config.hidden]
        layers = [nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.head = nn.Linear(widths[-1], config.num_classes)
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of ``(B, ...)``."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, last hidden width)``."""
        h_BF = x.flatten(1)
        for layer in self.layers:
            h_BF = self.dropout(nn.functional.relu(layer(h_BF)))
        return h_BF
