"""Weights of other libraries under the names of our networks.

Called by :mod:`engine.runtime.pretrained`. Each function takes the tensors of a file and gives those of a network.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

_TOP = {
    "class_token": "vit.embeddings.cls_token",
    "encoder.pos_embedding": "vit.embeddings.position_embeddings",
    "conv_proj": "vit.embeddings.patch_embeddings.projection",
    "encoder.ln": "vit.layernorm",
    "heads.head": "classifier",
}
_LAYER = {
    "ln_1": "layernorm_before",
    "ln_2": "layernorm_after",
    "self_attention.out_proj": "attention.output.dense",
    "mlp.0": "intermediate.dense",
    "mlp.3": "output.dense",
    "mlp.linear_1": "intermediate.dense",
    "mlp.linear_2": "output.dense",
}


def vit_from_torchvision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's vision transformer; its query, key and value lie in one tensor, ours in three.

    >>> import torch
    >>> sorted(vit_from_torchvision({"encoder.layers.encoder_layer_0.self_attention.in_proj_bias": torch.zeros(6)}))
    ['vit.encoder.layer.0.attention.attention.key.bias', 'vit.encoder.layer.0.attention.attention.query.bias',
     'vit.encoder.layer.0.attention.attention.value.bias']
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        part, _, kind = name.rpartition(".")
        if not part.startswith("encoder.layers."):
            renamed[_TOP[name] if name in _TOP else f"{_TOP.get(part, part)}.{kind}"] = tensor
            continue
        number, _, inside = part.removeprefix("encoder.layers.encoder_layer_").partition(".")
        layer = f"vit.encoder.layer.{number}"
        if kind.startswith("in_proj_"):
            for role, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                renamed[f"{layer}.attention.attention.{role}.{kind.removeprefix('in_proj_')}"] = third
        else:
            renamed[f"{layer}.{_LAYER.get(inside, inside)}.{kind}"] = tensor
    return renamed
