"""A small convolutional network: learns digits in seconds and CIFAR in minutes on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths


class ConvNetConfig(ModelConfig):
    """Shape of the network.

    Attributes
    ----------
    in_channels
        Channels of the image.
    widths
        Channels of each convolution; between two stages the image is halved while it is larger than 3 pixels.
    dropout
        Share of features dropped before the last layer.
    """

    in_channels: int | None = Field(None, ge=1)
    widths: list[int] = Field(default=[32, 64, 128], min_length=1, max_length=64)
    dropout: float = Field(0.0, ge=0, lt=1)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The channels come from the image; its size is free."""
        return {"num_classes": num_classes, "in_channels": shape[0]}


@architecture(
    "convnet",
    config=ConvNetConfig,
    inputs=("images",),
    head="head.",
    widths=lambda config: Widths({"widths": config.widths}),
)
def convnet(config: ConvNetConfig) -> nn.Module:
    """Stages of 3x3 convolution, batch normalisation, ReLU and 2x2 max-pooling; then the mean over the image.

    Sources: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998;
    S. Ioffe, C. Szegedy, "Batch normalization", ICML 2015; M. Lin et al., "Network in network", ICLR 2014 (the mean).

    >>> import torch
    >>> convnet(ConvNetConfig(in_channels=1, num_classes=10))(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    return ConvNet(config)


class ConvNet(nn.Module):
    """See :func:`convnet`."""

    def __init__(self, config: ConvNetConfig) -> None:
        super().__init__()
        if config.in_channels is None or config.num_classes is None:
            raise ValueError("in_channels and num_classes are needed")
        widths = [config.in_channels, *config.widths]
        pairs = list(zip(widths, widths[1:], strict=False))
        convs = [nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairs]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b in pairs)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.head = nn.Linear(widths[-1], config.num_classes)
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of images ``(B, C, H, W)``."""
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, last width)``."""
        h_BCHW = x
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if index and min(h_BCHW.shape[2:]) > 3:
                h_BCHW = nn.functional.max_pool2d(h_BCHW, 2)
            h_BCHW = nn.functional.relu(norm(conv(h_BCHW)))
        return h_BCHW.mean((2, 3))
