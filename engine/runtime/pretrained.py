"""Models that start from weights which somebody else trained: public ones, a file, or a folder.

Called by the model blocks. Every set of weights is compared with the network before it becomes a model. Must not know
where public files are kept: that is ``ctx.resource``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from engine import resources
from engine.artifacts import ModelRef
from engine.datasets.texts import TOKENIZER, tokenize_operation
from engine.errors import UserError
from engine.models import build, find
from engine.runtime.convert import vit_from_torchvision
from engine.runtime.models import load_weights, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.runtime.weightfiles import Folder, bert_weights, read_folder, read_weight_file
from engine.spec import BlockParams, RunContext, param
from engine.text import TextTokenizer

IMAGENET_CLASSES = 1000
IMAGENET_SIDE = 224
LONGEST_TEXT = 2048
MINILM = {"hidden_size": 384, "layers": 6, "heads": 12, "intermediate_size": 1536, "pooling": "mean"}
BERT_BASE = {"hidden_size": 768, "layers": 12, "heads": 12, "intermediate_size": 3072, "pooling": "cls"}
UNCASED = {"vocab_size": 30522, "pad_id": 0, "max_length": 512}


class Outputs(NamedTuple):
    """What a model block makes."""

    model: ModelRef


class ImageModelParams(BlockParams):
    """Parameters that the blocks of networks with public ImageNet weights share."""

    num_classes: int | None = param(
        None, ge=1, help="Number of classes; empty: it follows from the data", title="Classes", advanced=True
    )
    weights: Literal["none", "public", "file"] = param(
        "none",
        help="Starting weights: none, the public ones (trained on ImageNet), or a file",
        title="Starting weights",
        resources={"public": "{block}_imagenet"},
    )
    path: str | None = param(
        None,
        widget="path",
        help="File with weights (.safetensors or .pth), when the starting weights come from a file",
        title="Weights file",
    )


class StemParams(ImageModelParams):
    """Parameters of the residual networks."""

    stem: Literal["small", "large"] = param(
        "small",
        help="First layers: small for images of about 32 pixels (3x3, stride 1), large for about 224 pixels "
        "(7x7, stride 2, pooling)",
        title="Stem",
    )


def imagenet_preprocessing(mean: list[float], std: list[float]) -> list[dict[str, Any]]:
    """What is done to any image before a network that was trained on ImageNet; see :mod:`engine.runtime.images`."""
    return [
        {"op": "fit", "how": "crop", "keep": 0.875},
        {"op": "colour", "channels": 3},
        {"op": "resize", "size": [IMAGENET_SIDE, IMAGENET_SIDE]},
        {"op": "scale", "by": 255.0},
        {"op": "normalise", "mean": mean, "std": std},
    ]


TORCHVISION = imagenet_preprocessing([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
LITE = imagenet_preprocessing([127 / 255] * 3, [128 / 255] * 3)


@cache
def imagenet_labels() -> list[str]:
    """English names of the 1000 classes of ILSVRC 2012, from WordNet.

    >>> imagenet_labels()[985]
    'daisy'
    """
    return (Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines()


def make_image_model(
    name: str,
    params: ImageModelParams,
    ctx: RunContext,
    config: Mapping[str, Any] | None = None,
    *,
    preprocessing: list[dict[str, Any]] = TORCHVISION,
    convert: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] = dict,
) -> ModelRef:
    """An image network as its block's parameters describe it.

    Parameters
    ----------
    config
        What else shapes the network; with public weights it must be what they were trained with.
    preprocessing
        What the public weights were trained with.
    convert
        Gives the public weights the names of our network.

    Raises
    ------
    UserError
        When weights do not fit, or public weights are not here and cannot be fetched.
    """
    config = {**(config or {}), "num_classes": params.num_classes}
    if params.weights == "public":
        config["in_channels"] = 3
        known: dict[str, Any] = {"preprocessing": preprocessing}
        if params.num_classes == IMAGENET_CLASSES:
            shape = [3, IMAGENET_SIDE, IMAGENET_SIDE]
            known |= {"task": "classification", "input": {"kind": "images", "shape": shape}}
            known["labels"] = imagenet_labels()
        weights = convert(read_weight_file(public_file(ctx, f"{name}_imagenet")))
        return pretrained_model(ctx, name, config, weights, **known)
    if params.weights == "none":
        return save_model(ctx.store, ModelSpec(architecture=name, config=config, provenance=provenance(ctx)))
    tensors = read_weight_file(chosen_file(ctx, params.path))
    first = next((tensor for tensor in tensors.values() if tensor.ndim == 4), None)
    if first is not None:
        config["in_channels"] = first.shape[1]
    return pretrained_model(ctx, name, config, tensors)


def make_resnet(name: str, params: StemParams, ctx: RunContext) -> Outputs:
    """A residual network as its block's parameters describe it; errors as :func:`make_image_model`."""
    if params.weights == "public" and params.stem != "large":
        raise UserError(
            "The public weights need the large stem", field="stem", hint="Set the stem to large, or weights to none."
        )
    return Outputs(make_image_model(name, params, ctx, {"stem": params.stem}))


def make_vit(params: ImageModelParams, ctx: RunContext, config: dict[str, Any], *, is_base: bool) -> ModelRef:
    """A vision transformer as its block's parameters describe it; errors as :func:`make_image_model`."""
    if params.weights == "public":
        if not is_base or config["patch_size"] not in (None, 16):
            raise UserError(
                "The public weights need the size base and patches of 16 pixels",
                field="size",
                hint="Set the size to base and leave the patch size empty, or set the weights to none.",
            )
        config |= {"patch_size": 16, "image_size": [IMAGENET_SIDE, IMAGENET_SIDE]}
    return make_image_model("vit", params, ctx, config, convert=vit_from_torchvision)


def make_bert(
    ctx: RunContext, weights: str, path: str | None, config: dict[str, Any], pooling: Mapping[str, str]
) -> ModelRef:
    """A BERT with fresh weights, with public ones, or with those of a folder; with the tokenizer they belong to.

    ``pooling`` overrules what the weights were made with, when it is not empty.

    Raises
    ------
    UserError
        When the weights do not fit, or are not here and cannot be fetched.
    """
    if weights == "none":
        spec = ModelSpec(architecture="bert", config={**config, **pooling}, provenance=provenance(ctx))
        return save_model(ctx.store, spec)
    if weights == "file":
        place = chosen_file(ctx, path)
        if place.is_dir():
            return folder_model(ctx, read_folder(place), "bert", pooling)
        return pretrained_model(ctx, "bert", {**config, **pooling}, bert_weights(read_weight_file(place)))
    resource = weights.replace("-", "_")
    place = public_file(ctx, resource)
    shape = MINILM if resource == "minilm" else BERT_BASE
    tensors = bert_weights(read_weight_file(place))
    files = {TOKENIZER: place.with_name(TOKENIZER)}
    return pretrained_model(ctx, "bert", {**config, **UNCASED, **shape, **pooling}, tensors, files=files)


def folder_model(
    ctx: RunContext, folder: Folder, architecture: str | None = None, config: Mapping[str, Any] | None = None
) -> ModelRef:
    """A model of a folder in Hugging Face's form; ``config`` overrules its configuration.

    Raises
    ------
    UserError
        When it holds another architecture than the one asked for.
    """
    if architecture not in (None, folder.architecture):
        raise UserError(
            "The folder holds a {found}, not a {wanted}",
            field="path",
            hint="Use the block of that model.",
            found=folder.architecture,
            wanted=str(architecture),
        )
    files: dict[str, bytes | Path] = {} if folder.tokenizer is None else {TOKENIZER: folder.tokenizer}
    full = {**folder.config, **(config or {})}
    head = find(folder.architecture).heads[0]
    known: dict[str, Any] = {}
    if folder.labels and f"{head}bias" in folder.weights:
        full["num_classes"] = len(folder.labels)
        known["labels"] = folder.labels
    if folder.architecture == "vit":
        known["preprocessing"] = imagenet_preprocessing(folder.mean, folder.std)
        known["preprocessing"][2]["size"] = full["image_size"]
    known |= _learned(full, folder, is_classifier="labels" in known)
    return pretrained_model(ctx, folder.architecture, full, folder.weights, files=files, **known)


def _learned(config: dict[str, Any], folder: Folder, *, is_classifier: bool) -> dict[str, Any]:
    """Task, input and preprocessing of a folder whose model can be asked as it is."""
    if folder.architecture == "vit":
        shape = [config["in_channels"], *config["image_size"]]
        return {"task": "classification", "input": {"kind": "images", "shape": shape}} if is_classifier else {}
    task = config["task"] if folder.architecture == "transformer_lm" else "classification" if is_classifier else None
    if task is None or folder.tokenizer is None:
        return {}
    config["task"] = task
    length = min(int(config["max_length"]), LONGEST_TEXT)
    operation = tokenize_operation(TextTokenizer(folder.tokenizer.read_bytes()), length)
    told = {"kind": "tokens", "length": length, "vocab_size": config["vocab_size"]}
    return {"task": task, "input": told, "preprocessing": [operation]}


def public_file(ctx: RunContext, resource: str) -> Path:
    """The file with public weights, checked against what was published.

    Raises
    ------
    UserError
        When it is not here and cannot be fetched, says where to put it; or when it is another file.
    """
    folder = ctx.resource(resource)
    resources.check(resource, folder)
    return folder / resources.get(resource).files[0].name


def chosen_file(ctx: RunContext, path: str | None) -> Path:
    """The file or folder that a person named; UserError when none was."""
    if not path:
        raise UserError("No weights file was given", field="path", hint="Give its path, or set the weights to none.")
    return ctx.local_path(path)


def pretrained_model(
    ctx: RunContext,
    name: str,
    config: dict[str, Any],
    weights: Mapping[str, Tensor],
    *,
    files: Mapping[str, bytes | Path] | None = None,
    **known: Any,
) -> ModelRef:
    """A model with given weights.

    ``known`` are further fields of its ``model.json``.

    The last layer is kept when ``config["num_classes"]`` asks for as many classes as it has, or there are no classes;
    otherwise it is left out and training starts it afresh.

    Raises
    ------
    UserError
        Listing what does not fit, when the weights belong to another network.
    """
    found = find(name)
    tensors = {key: tensor for key, tensor in weights.items() if tensor.is_floating_point() or "num_batches" in key}
    outputs = tensors.get(f"{found.heads[0]}bias")
    whole = outputs is not None and config.get("num_classes") == len(outputs)
    if not whole:
        tensors = {key: tensor for key, tensor in tensors.items() if not _of_classes(key, found.heads[0])}
    with torch.device("meta"):
        module = build(name, _buildable(name, config))
    load_weights(module, {k: t.to("meta") for k, t in tensors.items()}, name, fresh_head=True)
    spec = ModelSpec(architecture=name, config=config, provenance=provenance(ctx), **known)
    return save_model(ctx.store, spec, tensors, files=files)


def _of_classes(key: str, head: str) -> bool:
    return head != "lm_head." and key.startswith(head)


def _buildable(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with stand-ins for what only data tells; the body does not depend on them."""
    full: dict[str, Any] = {**find(name).config.model_validate({}).model_dump(), **config}
    stand_ins = {"in_channels": 1, "num_classes": 1, "task": "classification"}
    for field, value in stand_ins.items():
        if field in full and full[field] is None:
            full[field] = value
    return full
