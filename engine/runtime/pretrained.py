"""Weights that somebody else trained: read from a file or from the public ones, and checked against a network.

Called by the model blocks. Pickled files are read with PyTorch's restricted unpickler (``weights_only``), which runs no
code. Must not know where public files are kept: that is ``ctx.resource``.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.models import build, find
from engine.runtime.models import load_weights, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, param

IMAGENET_CLASSES = 1000
IMAGENET_SHAPE = [3, 224, 224]
IMAGENET_PREPROCESSING: list[dict[str, Any]] = [
    {"op": "scale", "by": 255.0},
    {"op": "normalise", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
]


def read_weight_file(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` file or of a PyTorch ``.pt``/``.pth`` file.

    Raises
    ------
    UserError
        When the file is neither, is damaged, or holds more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise UserError(
            "{file} has no weights that can be read",
            field="path",
            hint="Use a .safetensors file, or a .pth file that holds only a state_dict.",
            file=path.name,
        ) from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError("{file} holds no state_dict", field="path", file=path.name)
    return {str(name).removeprefix("module."): tensor for name, tensor in found.items()}


def pretrained_model(
    ctx: RunContext, name: str, config: dict[str, Any], weights: Mapping[str, Tensor], **known: Any
) -> ModelRef:
    """A model with given weights.

    ``known`` are further fields of its ``model.json``.

    The last layer is kept when ``config["num_classes"]`` asks for as many classes as it has; otherwise it is left out
    and training starts it afresh.

    Raises
    ------
    UserError
        Listing what does not fit, when the weights belong to another network.
    """
    head = find(name).heads[0]
    tensors = {key: tensor for key, tensor in weights.items() if tensor.is_floating_point() or "num_batches" in key}
    outputs = tensors.get(f"{head}bias")
    whole = outputs is not None and config.get("num_classes") == len(outputs)
    if not whole:
        tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith(head)}
    with torch.device("meta"):
        module = build(name, {"in_channels": 1, **config, "num_classes": config.get("num_classes") or 1})
    load_weights(module, {k: t.to("meta") for k, t in tensors.items()}, name, fresh_head=True)
    spec = ModelSpec(architecture=name, config=config, provenance=provenance(ctx), **known)
    return save_model(ctx.store, spec, tensors)


def public_resnet(ctx: RunContext, name: str, config: dict[str, Any]) -> ModelRef:
    """A residual network with torchvision's public ImageNet weights.

    Raises
    ------
    UserError
        When the stem is not the large one, or the file is not here and cannot be fetched; says where to put it.
    """
    if config["stem"] != "large":
        raise UserError(
            "The public weights need the large stem", field="stem", hint="Set the stem to large, or weights to none."
        )
    folder = ctx.resource(f"{name}_imagenet")
    weights = read_weight_file(next(iter(sorted(folder.glob(f"{name}-*.pth")))))
    known: dict[str, Any] = {"preprocessing": IMAGENET_PREPROCESSING}
    if config.get("num_classes") == IMAGENET_CLASSES:
        known |= {"task": "classification", "input": {"kind": "images", "shape": IMAGENET_SHAPE}}
    return pretrained_model(ctx, name, {**config, "in_channels": 3}, weights, **known)


class ResNetParams(BlockParams):
    """Parameters that the blocks of all residual networks share."""

    stem: Literal["small", "large"] = param(
        "small",
        help="First layers: small for images of about 32 pixels (3x3, stride 1), large for about 224 pixels "
        "(7x7, stride 2, pooling)",
        title="Stem",
    )
    num_classes: int | None = param(
        None, ge=1, help="Number of classes; empty: it follows from the data", title="Classes", advanced=True
    )
    weights: Literal["none", "public", "file"] = param(
        "none",
        help="Starting weights: none, the public ImageNet weights of torchvision, or a file",
        title="Starting weights",
    )
    path: str | None = param(
        None,
        widget="path",
        help="File with weights (.safetensors or .pth), when the starting weights come from a file",
        title="Weights file",
    )


def make_resnet(name: str, params: ResNetParams, ctx: RunContext) -> ModelRef:
    """A residual network as its block's parameters describe it."""
    config: dict[str, Any] = {"stem": params.stem, "num_classes": params.num_classes}
    if params.weights == "public":
        return public_resnet(ctx, name, config)
    if params.weights == "none":
        return save_model(ctx.store, ModelSpec(architecture=name, config=config, provenance=provenance(ctx)))
    if not params.path:
        raise UserError("No weights file was given", field="path", hint="Give its path, or set the weights to none.")
    tensors = read_weight_file(ctx.local_path(params.path))
    if "conv1.weight" in tensors:
        config["in_channels"] = tensors["conv1.weight"].shape[1]
    return pretrained_model(ctx, name, config, tensors)
