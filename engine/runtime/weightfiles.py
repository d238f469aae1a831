"""Files with weights as tensors: safetensors, PyTorch's own, and folders as Hugging Face publishes them.

Called by :mod:`engine.runtime.pretrained`. Pickled files are read with PyTorch's restricted unpickler
(``weights_only``), which runs no code. Must not know where the files come from.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.errors import UserError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


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


@dataclass(frozen=True)
class Folder:
    """What a folder of Hugging Face's form holds, in the words of this package.

    Attributes
    ----------
    architecture, config
        As in ``model.json``.
    tokenizer
        Path of ``tokenizer.json``, or None.
    labels
        Names of the classes, where the folder has them.
    mean, std
        Of each channel, where the folder says how images are prepared.
    """

    architecture: str
    config: dict[str, Any]
    weights: dict[str, Tensor]
    tokenizer: Path | None
    labels: list[str] | None
    mean: list[float]
    std: list[float]


def read_folder(folder: Path) -> Folder:
    """Read ``config.json`` and ``model.safetensors`` of BERT, ViT or Llama.

    Raises
    ------
    UserError
        When a file is missing, or the kind of model is one that this version does not have.

    Notes
    -----
    Source: the layout of ``transformers``' ``save_pretrained``.
    """
    raw = _json(folder / "config.json")
    kind = str(raw.get("model_type"))
    if kind not in _READERS:
        raise UserError(
            "{folder} holds a model of the kind {kind}, which this version does not have",
            field="path",
            hint="It reads: {known}.",
            folder=folder.name,
            kind=kind,
            known=", ".join(sorted(_READERS)),
        )
    weights = _folder_weights(folder)
    architecture, config, weights = _READERS[kind](raw, weights, folder)
    tokenizer = folder / "tokenizer.json"
    labels = [str(label) for _, label in sorted((raw.get("id2label") or {}).items(), key=lambda pair: int(pair[0]))]
    images = folder / "preprocessor_config.json"
    prepared = _json(images) if images.is_file() else {}
    mean, std = prepared.get("image_mean") or [0.5] * 3, prepared.get("image_std") or [0.5] * 3
    return Folder(
        architecture, config, weights, tokenizer if tokenizer.is_file() else None, labels or None, list(mean), list(std)
    )


def _folder_weights(folder: Path) -> dict[str, Tensor]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = sorted(set(_json(index)["weight_map"].values()))
        if any(Path(part).name != part for part in parts):
            raise UserError("{file} names files outside its folder", field="path", file=index.name)
        return {name: tensor for part in parts for name, tensor in read_weight_file(folder / part).items()}
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return read_weight_file(folder / name)
    raise UserError(
        "{folder} has no model.safetensors",
        field="path",
        hint="Put the weights beside config.json.",
        folder=str(folder),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError("There is no file {file}", field="path", file=str(path)) from None
    except ValueError:
        raise UserError("{file} is not JSON", field="path", file=str(path)) from None
    if not isinstance(found, dict):
        raise UserError("{file} is not JSON", field="path", file=str(path))
    return found


Read = tuple[str, dict[str, Any], dict[str, Tensor]]


def bert_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a BERT under the names of :mod:`engine.models.bert`: old names too, tied copies left out."""
    renamed = {}
    for name, tensor in weights.items():
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if not name.startswith(("bert.", "cls.", "classifier.")):
            name = f"bert.{name}"
        if name.endswith("position_ids") or name.startswith(("cls.predictions.decoder.", "cls.seq_relationship.")):
            continue
        renamed[name] = tensor
    return renamed


def _bert(raw: Mapping[str, Any], weights: dict[str, Tensor], folder: Path) -> Read:
    _require(raw, folder, hidden_act="gelu", position_embedding_type="absolute")
    is_sentence_encoder = (folder / "1_Pooling" / "config.json").is_file()
    pooling = is_sentence_encoder and _json(folder / "1_Pooling" / "config.json").get("pooling_mode_mean_tokens")
    config = {
        "vocab_size": raw["vocab_size"],
        "pad_id": raw.get("pad_token_id", 0),
        "max_length": raw["max_position_embeddings"],
        "hidden_size": raw["hidden_size"],
        "layers": raw["num_hidden_layers"],
        "heads": raw["num_attention_heads"],
        "intermediate_size": raw["intermediate_size"],
        "pooling": "mean" if pooling else "cls",
        "dropout": raw.get("hidden_dropout_prob", 0.1),
        "norm_eps": raw.get("layer_norm_eps", 1e-12),
    }
    return "bert", config, bert_weights(weights)


def _vit(raw: Mapping[str, Any], weights: dict[str, Tensor], folder: Path) -> Read:
    _require(raw, folder, hidden_act="gelu", qkv_bias=True)
    size = raw.get("image_size", 224)
    config = {
        "in_channels": raw.get("num_channels", 3),
        "image_size": list(size) if isinstance(size, list | tuple) else [size, size],
        "patch_size": raw.get("patch_size", 16),
        "hidden_size": raw["hidden_size"],
        "layers": raw["num_hidden_layers"],
        "heads": raw["num_attention_heads"],
        "intermediate_size": raw["intermediate_size"],
        "norm_eps": raw.get("layer_norm_eps", 1e-12),
    }
    named = {name if name.startswith(("vit.", "classifier.")) else f"vit.{name}": t for name, t in weights.items()}
    return "vit", config, {name: t for name, t in named.items() if not name.startswith("vit.pooler.")}


def _llama(raw: Mapping[str, Any], weights: dict[str, Tensor], folder: Path) -> Read:
    _require(raw, folder, hidden_act="silu", rope_scaling=None, attention_bias=False)
    config = {
        "task": "language_model",
        "vocab_size": raw["vocab_size"],
        "pad_id": raw.get("pad_token_id"),
        "max_length": raw["max_position_embeddings"],
        "hidden_size": raw["hidden_size"],
        "layers": raw["num_hidden_layers"],
        "heads": raw["num_attention_heads"],
        "key_value_heads": raw.get("num_key_value_heads"),
        "head_size": raw.get("head_dim"),
        "intermediate_size": raw["intermediate_size"],
        "rotary_base": (raw.get("rope_parameters") or raw).get("rope_theta", 10_000.0),
        "norm_eps": raw.get("rms_norm_eps", 1e-6),
        "tied": bool(raw.get("tie_word_embeddings", False)),
    }
    tensors = {name: tensor.float() for name, tensor in weights.items() if "rotary_emb" not in name}
    if config["tied"]:
        tensors.pop("lm_head.weight", None)
    return "transformer_lm", config, tensors


def _require(raw: Mapping[str, Any], folder: Path, **wanted: Any) -> None:
    for name, value in wanted.items():
        if raw.get(name, value) != value:
            raise UserError(
                "{folder} has {setting} {found}, this version has only {known}",
                field="path",
                folder=folder.name,
                setting=name,
                found=str(raw[name]),
                known=str(value),
            )


_READERS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Tensor], Path], Read]] = {
    "bert": _bert,
    "vit": _vit,
    "llama": _llama,
}
