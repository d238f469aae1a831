"""Vision transformer: an image as a sequence of patches; parameter names as in transformers' ViT.

Patches follow the image when no size is given: 16 pixels for photographs, smaller ones for small images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import UserError
from engine.models.attention import attend, initialise
from engine.models.registry import architecture
from engine.models.widths import TransformerConfig, transformer_widths

SIZES: Mapping[str, Mapping[str, int]] = {
    name: {"hidden_size": hidden, "layers": 12, "heads": heads, "intermediate_size": 4 * hidden}
    for name, hidden, heads in (("tiny", 192, 3), ("small", 384, 6), ("base", 768, 12))
}
"""Base as in Dosovitskiy et al. 2021; tiny and small as in Touvron et al., "DeiT", ICML 2021."""

MAX_PATCH = 16


class ViTConfig(TransformerConfig):
    """Shape of a vision transformer; more in :class:`engine.models.widths.TransformerConfig`.

    Attributes
    ----------
    in_channels
        Channels of the image.
    image_size
        Height and width in pixels: every position has its own embedding.
    patch_size
        Side of a patch in pixels; None until training.
    """

    in_channels: int | None = Field(None, ge=1)
    image_size: list[int] | None = Field(None, min_length=2, max_length=2)
    patch_size: int | None = Field(None, ge=1)
    hidden_size: int = Field(SIZES["tiny"]["hidden_size"], ge=1)
    layers: int = Field(SIZES["tiny"]["layers"], ge=1)
    heads: int = Field(SIZES["tiny"]["heads"], ge=1)
    intermediate_size: int = Field(SIZES["tiny"]["intermediate_size"], ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    norm_eps: float = Field(1e-6, gt=0)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """Channels and size come from the image, and the patches where nobody chose them."""
        size = list(shape[1:])
        patch = self.patch_size or patch_for(size)
        return {"num_classes": num_classes, "in_channels": shape[0], "image_size": size, "patch_size": patch}


def patch_for(size: Sequence[int]) -> int:
    """Side of the patches: the largest that divides both sides and leaves about 7 of them, at most 16.

    >>> [patch_for([side, side]) for side in (8, 28, 32, 64, 224)]
    [1, 4, 4, 8, 16]
    """
    most = max(1, min(MAX_PATCH, min(size) // 7))
    common = math.gcd(*size)
    return max(side for side in range(1, most + 1) if common % side == 0)


@architecture("vit", config=ViTConfig, inputs=("images",), head="classifier.", widths=transformer_widths)
def vit(config: ViTConfig) -> nn.Module:
    """Patches of an image, and a class token, through layers of self-attention and feed-forward (pre-norm).

    Source: A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021.

    >>> config = ViTConfig(num_classes=10, in_channels=3, image_size=[32, 32], patch_size=8, layers=2)
    >>> vit(config)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return VisionTransformer(config)


class VisionTransformer(nn.Module):
    """See :func:`vit`."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        assert config.num_classes is not None
        self.vit = Encoder(config)
        self.classifier = nn.Linear(config.hidden_size, config.num_classes)
        initialise(self, std=0.02)
        nn.init.trunc_normal_(self.vit.embeddings.cls_token, std=0.02)
        nn.init.trunc_normal_(self.vit.embeddings.position_embeddings, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of images ``(B, C, H, W)``."""
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the class token has become: ``(B, hidden_size)``."""
        tokens_BTD: Tensor = self.vit(x)
        return tokens_BTD[:, 0]


class Encoder(nn.Module):
    """Embeddings, layers and the last normalisation."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Layers(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, 1 + patches, D)``."""
        normed: Tensor = self.layernorm(self.encoder(self.embeddings(x)))
        return normed


class Embeddings(nn.Module):
    """Patches, the class token before them, and the positions."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        assert config.in_channels is not None
        assert config.image_size is not None
        patch, width = config.patch_size or patch_for(config.image_size), config.hidden_size
        if any(side % patch for side in config.image_size):
            raise UserError(
                "Images of {height} x {width} pixels cannot be cut into patches of {patch} pixels",
                field="patch_size",
                hint="Leave the patch size empty, or resize the images to a multiple of it.",
                height=config.image_size[0],
                width=config.image_size[1],
                patch=patch,
            )
        patches = math.prod(side // patch for side in config.image_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + patches, width))
        self.patch_embeddings = Patches(config.in_channels, width, patch)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, 1 + patches, D)``."""
        tokens_BTD = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), self.patch_embeddings(x)], dim=1)
        placed: Tensor = self.dropout(tokens_BTD + self.position_embeddings)
        return placed


class Patches(nn.Module):
    """One linear layer on every patch, written as a convolution."""

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(channels, width, patch, stride=patch)
        nn.init.trunc_normal_(self.projection.weight, std=0.02)
        nn.init.zeros_(self.projection.bias)  # type: ignore[arg-type]  # it has one

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, patches, D)``."""
        projected: Tensor = self.projection(x)
        return projected.flatten(2).transpose(1, 2)


class Layers(nn.Module):
    """One layer after the other."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config, number) for number in range(config.layers))

    def forward(self, x_BTD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        for layer in self.layer:
            x_BTD = layer(x_BTD)
        return x_BTD


class Layer(nn.Module):
    """Self-attention and feed-forward, each behind a normalisation and with its shortcut."""

    def __init__(self, config: ViTConfig, number: int) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.inner_of(number)
        self.attention = SelfAttention(config, config.heads_of(number))
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, width)})
        self.layernorm_before = nn.LayerNorm(width, config.norm_eps)
        self.layernorm_after = nn.LayerNorm(width, config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        h_BTD = x_BTD + self.dropout(self.attention(self.layernorm_before(x_BTD)))
        inner = functional.gelu(self.intermediate["dense"](self.layernorm_after(h_BTD)))
        added: Tensor = h_BTD + self.dropout(self.output["dense"](inner))
        return added


class SelfAttention(nn.Module):
    """Query, key and value of every token, attention, and the layer behind it."""

    def __init__(self, config: ViTConfig, heads: int) -> None:
        super().__init__()
        width, inner = config.hidden_size, heads * config.size_of_head
        self.heads, self.dropout = heads, config.dropout
        self.attention = nn.ModuleDict({name: nn.Linear(width, inner) for name in ("query", "key", "value")})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, width)})

    def forward(self, x_BTD: Tensor) -> Tensor:
        """``(B, T, D)`` -> ``(B, T, D)``."""
        query, key, value = (self.attention[name](x_BTD) for name in ("query", "key", "value"))
        mixed_BTD = attend(query, key, value, self.heads, dropout=self.dropout if self.training else 0.0)
        out: Tensor = self.output["dense"](mixed_BTD)
        return out
