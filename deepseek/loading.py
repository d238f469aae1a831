"""Where a model comes from: a file, a folder, or the name of one whose weights are public.

Called by ``Model.load``. Names are read off the catalog: a parameter of a model block that says which public files its
values need. Must not import the engine (see ``deepseek.local``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepseek import blocks, local, pipeline
from deepseek.errors import UsageError, unknown
from deepseek.pipeline import Step

PUBLISHED = {"stem": "large", "num_classes": 1000, "size": "base"}
"""What public weights of images were trained with (ImageNet)."""

WEIGHT_FILES = (".safetensors", ".pt", ".pth", ".bin")
NOT_NETWORKS = {"load", "load_onnx", "load_exported", "wrapped"}


def step_for(source: str | Path, config: Mapping[str, Any]) -> tuple[Step, str]:
    """The step that makes a model of a source, and what to call it.

    Parameters
    ----------
    config
        Parameters of the block that makes it; ``architecture`` for a file that holds nothing but weights.

    Raises
    ------
    UsageError
        When there is no such file or name, or a parameter is wrong.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        return _made("model.load", {"path": str(path.resolve())}, config), path.name
    if not path.is_file():
        return _public(str(source), config)
    if _is_bundle(path):  # whatever its name ends in
        return _made("model.load", {"file": local.put_file(path)}, config), path.stem
    if path.suffix == ".onnx":
        return _made("model.load_onnx", {"file": local.put_file(path)}, config), path.stem
    if path.suffix == ".pt2":
        return _exported(path, config), path.stem
    if path.suffix in WEIGHT_FILES:
        return _weights(path, config)
    return _made("model.load", {"file": local.put_file(path)}, config), path.stem


def _is_bundle(path: Path) -> bool:
    """True for a model of this product; a file of PyTorch is a zip too, with other things in it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "model.json" in archive.namelist()


def block_of(architecture: str) -> str:
    """Block type of an architecture; UsageError with the one that was probably meant."""
    known = [entry for entry in blocks.names("model") if entry not in NOT_NETWORKS]
    if architecture not in known:
        raise unknown("architecture", architecture, known)
    return f"model.{architecture}"


def published() -> dict[str, tuple[str, str]]:
    """Name -> block and value of its parameter ``weights``, for every network with public weights.

    The weights of a network that has only one set of them go by the network's name.
    """
    found = {}
    for name in blocks.names("model"):
        for value in blocks.schema(f"model.{name}").get("weights", {}).get("resources", {}):
            found[name if value == "public" else value] = (f"model.{name}", value)
    return found


def _made(type_: str, params: Mapping[str, Any], config: Mapping[str, Any]) -> Step:
    return pipeline.step("model", type_, {**params, **blocks.check_params(type_, config)})


def _public(name: str, config: Mapping[str, Any]) -> tuple[Step, str]:
    if "/" in name or name.endswith((".zip", ".onnx", ".pt2", *WEIGHT_FILES)):
        raise UsageError(f"There is no file {name}")
    known = published()
    if name not in known:
        type_ = block_of(name)  # says what is wrong with the name, when something is
        raise UsageError(
            f"There are no public weights for {type_.removeprefix('model.')}",
            hint=f"Model.create({name!r}) makes one with fresh weights. Public: {', '.join(sorted(known))}.",
        )
    type_, value = known[name]
    fixed = {key: wanted for key, wanted in PUBLISHED.items() if key in blocks.parameters(type_)}
    if value != "public":
        fixed = {}
    return _made(type_, {}, {**fixed, "weights": value, **config}), name


def _weights(path: Path, config: Mapping[str, Any]) -> tuple[Step, str]:
    rest = dict(config)
    name = rest.pop("architecture", None)
    if name is None:
        raise UsageError(
            f"{path.name} holds weights, and not which network they are of",
            hint='Say it: Model.load(path, architecture="resnet50", num_classes=10).',
        )
    type_ = block_of(str(name))
    if "weights" not in blocks.parameters(type_):
        raise UsageError(f"A {name} cannot be made from a file with weights")
    return _made(type_, {"weights": "file", "path": str(path.resolve())}, rest), str(name)


def _exported(path: Path, config: Mapping[str, Any]) -> Step:
    rest = dict(config)
    if rest.pop("trust", False) is not True:
        raise UsageError(
            f"{path.name} is a torch.export archive, and opening one can run code that its author put there",
            hint="Give trust=True when you know where it comes from; in the studio it is opened in the sandbox.",
        )
    return _made("model.load_exported", {"file": local.put_file(path)}, rest)
