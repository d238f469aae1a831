"""An autoencoder: learns to write its input again through a narrow middle, for images and for rows of a table.

What comes through badly is unusual: the error of an example is a score for anomalies. ``features`` are the numbers in
the middle, a summary of the example.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths


class AutoencoderConfig(ModelConfig):
    """Shape of an autoencoder.

    Attributes
    ----------
    shape
        ``[C, H, W]`` of an image, or ``[features]`` of a row.
    latent_size
        Numbers in the middle.
    widths
        Of images: channels of each convolution, which halves the image. Of rows: width of each layer.
    """

    shape: list[int] | None = None
    latent_size: int = Field(32, ge=1)
    widths: list[int] = Field(default=[32, 64, 128], min_length=1, max_length=16)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The shape is that of the data."""
        return {"shape": list(shape)}

    def missing(self) -> list[str]:
        """There are no classes."""
        return [] if self.shape is not None else ["shape"]


def _widths(config: AutoencoderConfig) -> Widths:
    return Widths({"widths": config.widths, "latent_size": config.latent_size})


@architecture("autoencoder", config=AutoencoderConfig, inputs=("images", "table"), head=(), widths=_widths)
def autoencoder(config: AutoencoderConfig) -> nn.Module:
    """An encoder, a narrow layer, and a decoder that mirrors the encoder.

    Source: G. E. Hinton, R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313,
    2006; convolutions instead of checkerboard-prone transposed ones: A. Odena et al., Distill 2016.

    >>> import torch
    >>> autoencoder(AutoencoderConfig(shape=[1, 28, 28]))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 1, 28, 28])
    >>> autoencoder(AutoencoderConfig(shape=[13], widths=[32]))(torch.zeros(2, 13)).shape
    torch.Size([2, 13])
    """
    assert config.shape is not None
    return RowAutoencoder(config) if len(config.shape) == 1 else ImageAutoencoder(config)


class RowAutoencoder(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        assert config.shape is not None
        widths = [config.shape[0], *config.widths, config.latent_size]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths[::-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Rows ``(B, F)`` -> the same again, ``(B, F)``."""
        return _through(self.decoder, self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """The numbers in the middle: ``(B, latent_size)``."""
        return _through(self.encoder, x)


class ImageAutoencoder(nn.Module):
    """Convolutions that halve the image, a linear layer each way, and convolutions that double it."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        assert config.shape is not None
        channels, *size = config.shape
        widths = [channels, *config.widths]
        self.sizes = [size]
        for _ in config.widths:
            size = [-(-side // 2) for side in size]
            self.sizes.append(size)
        self.middle = (widths[-1], *size)
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.squeeze = nn.Linear(math.prod(self.middle), config.latent_size)
        self.spread = nn.Linear(config.latent_size, math.prod(self.middle))
        self.decoder = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths[::-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Images ``(B, C, H, W)`` -> the same again, ``(B, C, H, W)``."""
        h_BCHW: Tensor = functional.relu(self.spread(self.features(x))).view(-1, *self.middle)
        for step, layer in enumerate(self.decoder, start=1):
            h_BCHW = layer(functional.interpolate(h_BCHW, self.sizes[-1 - step], mode="nearest"))
            if step < len(self.decoder):
                h_BCHW = functional.relu(h_BCHW)
        return h_BCHW

    def features(self, x: Tensor) -> Tensor:
        """The numbers in the middle: ``(B, latent_size)``."""
        for layer in self.encoder:
            x = functional.relu(layer(x))
        latent: Tensor = self.squeeze(x.flatten(1))
        return latent


def _through(layers: nn.ModuleList, x: Tensor) -> Tensor:
    for number, layer in enumerate(layers, start=1):
        x = layer(x)
        if number < len(layers):
            x = functional.relu(x)
    return x
