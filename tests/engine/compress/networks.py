"""One small network of every architecture with free widths, and inputs for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

IMAGES = {"num_classes": 3, "in_channels": 2}
TOKENS = {"vocab_size": 20, "pad_id": 0, "max_length": 6}
BLOCKS = {"hidden_size": 16, "layers": 2, "heads": 4, "intermediate_size": 24}

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18": (
        "resnet18",
        {
            **IMAGES,
            "stem_width": 16,
            "stage_widths": [16, 16, 24, 32],
            "inner_widths": [[[16], [16]], [[16], [16]], [[16], [24]], [[24], [32]]],
        },
    ),
    "resnet50": (
        "resnet50",
        {
            **IMAGES,
            "stem_width": 16,
            "stage_widths": [32, 32, 32, 32],
            "inner_widths": [[[8, 8]] * 3, [[8, 16]] * 4, [[8, 8]] * 6, [[16, 16]] * 3],
        },
    ),
    "efficientnet_lite0": ("efficientnet_lite0", {**IMAGES, "head_width": 32}),
    "speednet": ("speednet", {**IMAGES, "widths": [8, 16]}),
    "convnet": ("convnet", {**IMAGES, "widths": [8, 16]}),
    "vit": ("vit", {**IMAGES, **BLOCKS, "image_size": [16, 16], "patch_size": 8}),
    "image autoencoder": ("autoencoder", {"shape": [2, 16, 16], "widths": [8, 16], "latent_size": 8}),
    "mlp": ("mlp", {"num_classes": 3, "in_features": 5, "hidden": [16, 8]}),
    "tabular_resnet": ("tabular_resnet", {"num_classes": 3, "in_features": 5, "width": 16, "inner_widths": [16, 24]}),
    "row autoencoder": ("autoencoder", {"shape": [5], "widths": [16, 8], "latent_size": 4}),
    "bert": ("bert", {**TOKENS, **BLOCKS, "task": "classification", "num_classes": 3}),
    "masked bert": ("bert", {**TOKENS, **BLOCKS, "task": "masked_lm"}),
    "transformer_lm": ("transformer_lm", {**TOKENS, **BLOCKS, "key_value_heads": 2, "tied": False}),
    "moe_lm": ("moe_lm", {**TOKENS, **BLOCKS, "layers": 1, "experts": 3}),
}


def inputs(architecture: str) -> Tensor:
    """A few inputs of the kind that an architecture takes."""
    generator = torch.Generator().manual_seed(0)
    if architecture in ("mlp", "tabular_resnet", "row autoencoder"):
        return torch.randn(12, 5, generator=generator)
    if architecture in ("bert", "masked bert", "transformer_lm", "moe_lm"):
        return torch.randint(1, 20, (6, 6), generator=generator)
    return torch.randn(6, 2, 16, 16, generator=generator)
