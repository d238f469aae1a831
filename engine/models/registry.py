"""Which architectures there are, and how one is built from the ``config`` in ``model.json``.

Called by model blocks, the runtime and the training loop. A configuration says everything that shapes a network, widths
included, so that a pruned network loads like any other. Must not know data sets or training.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from engine.errors import UserError

if TYPE_CHECKING:
    from engine.models.widths import Widths


class ModelConfig(BaseModel):
    """Base of a configuration. Fields that only data can tell are None until training starts.

    Attributes
    ----------
    num_classes
        Number of outputs: one per class, or 1 for regression.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_classes: int | None = None

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """Values for the fields that the data decides.

        Parameters
        ----------
        kind
            ``"images"``, ``"table"`` or ``"tokens"``.
        shape
            ``(C, H, W)`` of an image, ``(features,)`` of a row, or ``(T,)`` of a text in tokens.
        num_classes
            Number of outputs.
        """
        raise NotImplementedError

    def missing(self) -> list[str]:
        """Fields without which no network can be built, and which are still None."""
        needed = ("num_classes", "in_channels", "in_features", "image_size", "vocab_size", "max_length")
        return [field for field in needed if getattr(self, field, 0) is None]


C = TypeVar("C", bound=ModelConfig)


@dataclass(frozen=True)
class Architecture:
    """One entry of the registry.

    Attributes
    ----------
    inputs
        The kinds of data it takes: ``"images"``, ``"table"``, ``"tokens"``.
    heads
        Prefixes of the parameters of the last layers, which depend on the task and the number of classes. The first is
        that of classification.
    widths
        The widths that may shrink, see :mod:`engine.models.widths`; None: none may.
    """

    name: str
    config: type[ModelConfig]
    build: Callable[[Any], nn.Module]
    inputs: tuple[str, ...]
    heads: tuple[str, ...]
    widths: Callable[[Any], Widths] | None = None


_KNOWN: dict[str, Architecture] = {}
_LOCAL: dict[str, Architecture] = {}


def architecture(
    name: str,
    *,
    config: type[C],
    inputs: Sequence[str],
    head: str | tuple[str, ...],
    widths: Callable[[C], Widths] | None = None,
) -> Callable[[Callable[[C], nn.Module]], Callable[[C], nn.Module]]:
    """Register a builder; the function is returned unchanged.

    Parameters
    ----------
    name
        What ``model.json`` calls it.
    config
        The configuration that the builder takes.
    inputs
        As in :class:`Architecture`.
    head
        One prefix or several, as in :class:`Architecture`.
    widths
        As in :class:`Architecture`.
    """
    heads = (head,) if isinstance(head, str) else head

    def declare(function: Callable[[C], nn.Module]) -> Callable[[C], nn.Module]:
        _KNOWN[name] = Architecture(name, config, function, tuple(inputs), heads, widths)
        return function

    return declare


def register_local(name: str, build: Callable[[ModelConfig], nn.Module]) -> None:
    """Register somebody's own module for this process, such as one wrapped by the SDK.

    Its name starts with ``wrapped:``. Every call of ``build`` must return a fresh module.
    """
    if not name.startswith("wrapped:"):
        raise ValueError("the name of a local architecture starts with 'wrapped:'")
    _LOCAL[name] = Architecture(name, WrappedConfig, build, ("images", "table", "tokens"), heads=())


class WrappedConfig(ModelConfig):
    """A module of the user's own: nothing but the number of outputs is known about it."""

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """Only the number of outputs."""
        return {"num_classes": num_classes}


def architectures() -> dict[str, Architecture]:
    """Name -> architecture, for every file of this package.

    >>> "resnet18" in architectures()
    True
    """
    import engine.models

    for module in pkgutil.iter_modules(engine.models.__path__):
        importlib.import_module(f"engine.models.{module.name}")
    return {**_KNOWN, **_LOCAL}


def find(name: str) -> Architecture:
    """The architecture of this name.

    Raises
    ------
    UserError
        Naming those that exist, or saying how to open a wrapped module.
    """
    known = architectures()
    if name in known:
        return known[name]
    if name.startswith("wrapped:"):
        raise UserError(
            "The model was made from the module {module}, which this process does not have",
            hint="Open it with Model.load(path, module={module}()).",
            module=name.removeprefix("wrapped:").split("-")[0],
        )
    if name == "onnx":
        raise UserError(
            "A model from an ONNX file can be asked and measured, and not be trained",
            field="model",
            hint="To train, take one of the networks in the palette.",
        )
    raise UserError(
        "There is no architecture {name}",
        hint="This version has: {known}.",
        name=name,
        known=", ".join(sorted(known)),
    )


def build(name: str, config: Mapping[str, Any]) -> nn.Module:
    """A network with fresh weights from the global generator.

    Raises
    ------
    UserError
        When the configuration does not fit the architecture or is not complete.

    Examples
    --------
    >>> import torch
    >>> build("mlp", {"num_classes": 2, "in_features": 4, "hidden": [8]})(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """
    found = find(name)
    checked = read_config(found, config)
    missing = checked.missing()
    if missing:
        raise UserError(
            "The {name} is not complete: {fields} not known yet",
            hint="Train it first, or set the values on the model.",
            name=name,
            fields=", ".join(missing),
        )
    return found.build(checked)


_FILLED = frozenset({"num_classes", "in_channels", "in_features", "vocab_size", "pad_id", "max_length"})
_AT_LEAST = frozenset({"vocab_size", "max_length"})


def read_config(found: Architecture, config: Mapping[str, Any]) -> ModelConfig:
    """The configuration, checked.

    Raises
    ------
    UserError
        Naming the first value that does not fit.
    """
    try:
        return found.config.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "The configuration of {name} is not valid: {setting}: {problem}",
            name=found.name,
            setting=".".join(str(part) for part in first["loc"]),
            problem=first["msg"],
        ) from None


def complete(
    name: str,
    config: Mapping[str, Any],
    kind: str,
    shape: Sequence[int],
    num_classes: int,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The configuration with what the data tells filled in.

    Parameters
    ----------
    facts
        More that the data tells: ``vocab_size``, ``pad_id``, ``max_length`` of texts, and ``task``. Each fills the
        field of this name, where the configuration has one. A network may have a larger vocabulary and take longer
        texts than the data has; the task is always the one that is learned now.

    Raises
    ------
    UserError
        When the model was made for other data: both sides are named.

    Examples
    --------
    >>> complete("resnet18", {}, "images", (3, 32, 32), 10)["in_channels"]
    3
    """
    found = find(name)
    if kind not in found.inputs:
        raise UserError(
            "A {name} takes {takes}, the data is {kind}",
            hint="Choose a model for this kind of data.",
            name=name,
            takes=" or ".join(found.inputs),
            kind=kind,
        )
    told = {field: value for field, value in (facts or {}).items() if field in found.config.model_fields}
    _check_task(found, told.get("task"))
    checked = read_config(found, {**config, **({"task": told["task"]} if "task" in told else {})})
    known = checked.model_dump()
    for field, value in checked.filled(kind, shape, num_classes).items():
        if known[field] is None:
            known[field] = value
        elif known[field] != value:
            raise _mismatch(name, field, known[field], value, shape)
    for field, value in told.items():
        if known[field] is None:
            known[field] = value
        elif known[field] < value if field in _AT_LEAST else known[field] != value:
            raise _mismatch(name, field, known[field], value, shape)
    return known


def _check_task(found: Architecture, task: str | None) -> None:
    """A network whose configuration names its tasks learns no other one."""
    if task is None:
        return
    named = [name for one in get_args(found.config.model_fields["task"].annotation) for name in get_args(one)]
    if named and task not in named:
        raise UserError(
            "A {name} does not learn {task}, only {known}",
            field="model",
            hint="Choose another model, or another block to train it.",
            name=found.name,
            task=task,
            known=" or ".join(named),
        )


def _mismatch(name: str, field: str, model: Any, data: Any, shape: Sequence[int]) -> UserError:
    if field == "num_classes":
        return UserError(
            "The model has {outputs} outputs, the data has {classes} classes",
            field="model",
            hint="Leave num_classes of the model empty, then it follows the data.",
            outputs=model,
            classes=data,
        )
    return UserError(
        "The {name} expects {setting} {expected}, the data has {found} (shape {shape})",
        field="model",
        hint="Use the data that the model was made for, or a fresh model.",
        name=name,
        expected=model,
        found=data,
        shape=" x ".join(str(side) for side in shape),
        setting=field,
    )
