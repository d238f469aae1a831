"""A small convolutional network made to learn small photographs as fast as a machine allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths

PATCHES = 5000
SCALE = 1 / 9


class SpeedNetConfig(ModelConfig):
    """Shape of the network.

    Attributes
    ----------
    in_channels
        Channels of the image.
    widths
        Channels of the three groups; each halves the image.
    inner_widths
        Channels inside each group; None: as many as leave it.
    views
        What an answer is the mean of: the image; the image and its mirror image; or both, moved by a pixel too.
    """

    in_channels: int | None = Field(None, ge=1)
    widths: list[int] = Field(default=[64, 256, 256], min_length=1, max_length=6)
    inner_widths: list[int] | None = None
    views: str = Field("moved", pattern="^(one|mirrored|moved)$")

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The channels come from the image; its size is free."""
        return {"num_classes": num_classes, "in_channels": shape[0]}


def _free(config: SpeedNetConfig) -> Widths:
    return Widths({"widths": config.widths, "inner_widths": config.inner_widths or config.widths})


@architecture("speednet", config=SpeedNetConfig, inputs=("images",), head="head.", widths=_free)
def speednet(config: SpeedNetConfig) -> nn.Module:
    """A whitening convolution, then groups of two 3x3 convolutions with max-pooling between them.

    Source: K. Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024, sections 3.1 to 3.5
    (the network, its initialisation and its views when it answers).

    >>> import torch
    >>> speednet(SpeedNetConfig(in_channels=3, num_classes=10, widths=[8, 8]))(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return SpeedNet(config)


class SpeedNet(nn.Module):
    """See :func:`speednet`."""

    is_whitened: Tensor

    def __init__(self, config: SpeedNetConfig) -> None:
        super().__init__()
        if config.in_channels is None or config.num_classes is None:
            raise ValueError("in_channels and num_classes are needed")
        whitened = 2 * config.in_channels * 4
        self.views = config.views
        self.whiten = nn.Conv2d(config.in_channels, whitened, 2)
        self.whiten.weight.requires_grad = False
        self.register_buffer("is_whitened", torch.zeros((), dtype=torch.bool))
        widths = [whitened, *config.widths]
        inners = config.inner_widths or config.widths
        self.groups = nn.ModuleList(Group(*sides) for sides in zip(widths, inners, config.widths, strict=False))
        self.head = nn.Linear(widths[-1], config.num_classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of images ``(B, C, H, W)``."""
        if self.training or self.views == "one":
            return self._logits(x)
        straight = self._mirrored(x)
        if self.views == "mirrored":
            return straight
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        height, width = x.shape[2:]
        moved = [self._mirrored(padded[:, :, y : y + height, y : y + width]) for y in (0, 2)]
        return 0.5 * straight + 0.25 * (moved[0] + moved[1])

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, last width)``."""
        h_BCHW = functional.gelu(self.whiten(x))
        for group in self.groups:
            h_BCHW = group(h_BCHW)
        return h_BCHW.amax((2, 3))

    @torch.no_grad()
    def see(self, inputs_BCHW: Tensor) -> None:
        """Set the first layer to whiten 2x2 patches of images such as these; once, before the first step.

        Its filters are the principal directions of the patches, divided by their spread, and their opposites.
        """
        if bool(self.is_whitened):
            return
        images = inputs_BCHW[:PATCHES].float()
        channels = images.shape[1]
        patches_NP = functional.unfold(images, 2).transpose(1, 2).reshape(-1, 4 * channels).double()
        covariance = patches_NP.T @ patches_NP / len(patches_NP)
        spread, directions = torch.linalg.eigh(covariance.cpu())
        filters = (directions / (spread.clamp(min=0) + 5e-4).sqrt()).T.flip(0).reshape(-1, channels, 2, 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        self.whiten.bias.zero_()  # type: ignore[union-attr]  # it has one
        self.is_whitened.fill_(True)

    def fast_recipe(self, batch_size: int) -> dict[str, Any]:
        """What trains this network fastest, for a batch of this size (section 3 of the source)."""
        return {
            "learning_rate": 1.5 * batch_size / 1024,
            "momentum": 0.85,
            "weight_decay": 0.0013,
            "bias_rate": 64.0,
            "label_smoothing": 0.2,
            "warm_up": 0.23,
        }

    def _mirrored(self, x: Tensor) -> Tensor:
        return 0.5 * (self._logits(x) + self._logits(x.flip(-1)))

    def _logits(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(x)) * SCALE
        return logits


class Group(nn.Module):
    """Convolution, max-pooling, convolution; each with normalisation without a factor, and GELU."""

    def __init__(self, before: int, inner: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, inner, 3, padding=1, bias=False)
        self.norm1 = _norm(inner)
        self.conv2 = nn.Conv2d(inner, after, 3, padding=1, bias=False)
        self.norm2 = _norm(after)
        for conv in (self.conv1, self.conv2):  # the first channels pass through
            nn.init.dirac_(conv.weight[: conv.in_channels].data)

    def forward(self, x: Tensor) -> Tensor:
        """Half the sides, while there are sides to halve."""
        h = self.conv1(x)
        if min(h.shape[2:]) > 1:
            h = functional.max_pool2d(h, 2)
        h = functional.gelu(self.norm1(h))
        out: Tensor = functional.gelu(self.norm2(self.conv2(h)))
        return out


def _norm(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-12, momentum=0.4)
    norm.weight.requires_grad = False
    return norm
