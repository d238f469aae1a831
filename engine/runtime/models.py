"""Models as artifacts: write a :class:`ModelRef`, and open one as a network with its weights.

Called by model, train, evaluate, predict and export blocks. Weights are safetensors and nothing is unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from engine.artifacts import ArtifactStore, ModelRef, canonical_json
from engine.errors import UserError
from engine.models import build, find
from engine.runtime.modelspec import ModelSpec, parse
from engine.runtime.variants import runner

MODEL = "model.json"
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class OpenModel:
    """A network in memory and what is known of it."""

    spec: ModelSpec
    module: nn.Module


def read_spec(ref: ModelRef) -> ModelSpec:
    """The model's ``model.json``, checked."""
    return parse(ref.read_json(MODEL))


def save_model(
    store: ArtifactStore,
    spec: ModelSpec,
    weights: Mapping[str, Tensor] | None = None,
    *,
    files: Mapping[str, bytes | Path] | None = None,
) -> ModelRef:
    """Keep a model as an artifact; the same model gives the same digest.

    Parameters
    ----------
    weights
        Name -> tensor, on any device; None for a model without weights.
    files
        What else belongs to it: a tokenizer, variants for other runtimes.
    """
    content: dict[str, Any] = {MODEL: canonical_json(spec.to_json()), **(files or {})}
    summary: dict[str, Any] = {"architecture": spec.architecture}
    if weights is not None:
        tensors = {name: tensor.detach().to("cpu").contiguous() for name, tensor in weights.items()}
        content[WEIGHTS] = save(_unshared(tensors))
        summary["parameters"] = sum(t.numel() for t in tensors.values() if t.is_floating_point())
    summary |= {name: value for name, value in spec.metrics.items() if not isinstance(value, str)}
    content["preview.json"] = canonical_json({"kind": "metrics", "values": summary})
    return store.put(ModelRef, files=content, meta={"architecture": spec.architecture, "task": spec.task})


def read_weights(ref: ModelRef) -> dict[str, Tensor]:
    """The model's tensors.

    Raises
    ------
    UserError
        When the model has none, or the file is damaged.
    """
    if WEIGHTS not in ref.files:
        raise UserError(
            "The model has no weights yet",
            field="model",
            hint="Connect a model that was trained, or train it first.",
        )
    try:
        return load(ref.read_bytes(WEIGHTS))
    except SafetensorError as error:
        raise UserError("The weights of the model are damaged: {problem}", problem=str(error)) from None


def open_model(ref: ModelRef) -> OpenModel:
    """A trained model, ready to compute, in evaluation mode on the CPU; a variant where there are no weights.

    Raises
    ------
    UserError
        When it is untrained or damaged, or has only variants for a runtime that is not here.
    """
    spec = read_spec(ref)
    if WEIGHTS not in ref.files and spec.variants and spec.trained:
        return OpenModel(spec, runner(ref, spec).eval())
    weights = read_weights(ref)
    if not spec.trained:
        raise UserError("The model is not trained yet", field="model", hint="Connect it to a training block first.")
    with torch.random.fork_rng([]):  # the fresh weights below are replaced; nobody's random numbers move
        module = build(spec.architecture, spec.config)
    load_weights(module, weights, spec.architecture)
    return OpenModel(spec, module.eval())


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], name: str, *, fresh_head: bool = False) -> None:
    """Copy tensors into a network.

    Parameters
    ----------
    fresh_head
        True: the last layer may be missing among ``weights``, and keeps its fresh values; that of another task is
        left out.

    Raises
    ------
    UserError
        Listing the first differences of names or shapes.
    """
    own = module.state_dict()
    heads = find(name).heads if fresh_head else ()
    weights = {key: tensor for key, tensor in weights.items() if key in own or not key.startswith(heads)}
    missing = [key for key in own if key not in weights and not key.startswith(heads)]
    unknown = [key for key in weights if key not in own]
    shapes = [key for key in own if key in weights and own[key].shape != weights[key].shape]
    if missing or unknown or shapes:
        raise UserError(
            "The weights do not fit the {name}: {differences}",
            field="model",
            hint="Take weights of the same architecture with the same settings.",
            name=name,
            differences=_differences(own, weights, missing, unknown, shapes),
        )
    module.load_state_dict(dict(weights), strict=False)


def _differences(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], missing: list[str], unknown: list[str], shapes: list[str]
) -> str:
    lines = [f"{key} is missing" for key in missing] + [f"{key} is unknown" for key in unknown]
    lines += [f"{key} is {list(weights[key].shape)} instead of {list(own[key].shape)}" for key in shapes]
    more = f", and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors that share memory (tied weights) as copies: safetensors keeps each by itself."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        result[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return result
