"""What a checkpoint holds of a training, and how it is put back, exactly.

Called by the training loop, and by snapshots in memory. Tensors are named ``model.*``, ``best.*``, ``average.*``,
``optimizer.<index>.<name>``, ``precision.*``, ``partial.*`` (a step between two of its parts) and ``random.*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.learn.checkpoints import random_state
from engine.learn.checkpoints.checkpoint import Checkpoint
from engine.learn.optim.ema import Average
from engine.learn.precision import PrecisionController
from engine.learn.shards import on_cpu
from engine.learn.state import State, Weights
from engine.learn.step import PLAIN, Partial, Step
from engine.learn.steplog import StepLog
from engine.spec.context import Choice


@dataclass
class Parts:
    """Everything that changes while training, but for the random generators."""

    module: nn.Module
    optimizer: Optimizer
    step: Step
    state: State
    average: Average | None = None
    precision: PrecisionController | None = None
    choice: Choice = PLAIN

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.module.parameters()).device


def tensors(parts: Parts) -> dict[str, Tensor]:
    """All that changes and is a tensor, as it is: nothing is copied but the random generators."""
    found = {f"model.{name}": tensor for name, tensor in parts.module.state_dict().items()}
    found |= {f"best.{name}": tensor for name, tensor in (parts.state.best_weights or {}).items()}
    for index, values in parts.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{index}.{name}": value for name, value in values.items() if isinstance(value, Tensor)}
    if parts.average is not None:
        found |= {f"average.{name}": tensor for name, tensor in parts.average.tensors().items()}
    found |= {f"random.{name}": tensor for name, tensor in random_state.full_state(parts.device).items()}
    return found | _partial(parts.step)


def _partial(step: Step) -> dict[str, Tensor]:
    """The gradients of a step that is under way."""
    partial = step.partial
    if partial is None:
        return {}
    found = {"partial.done": torch.tensor(partial.done), "partial.loss": partial.loss}
    found |= {f"partial.outputs.{index}": part for index, part in enumerate(partial.outputs)}
    found |= {f"partial.started.{name}": tensor for name, tensor in partial.started.items()}
    gradients = [(index, weight.grad) for index, weight in enumerate(step.parameters)]
    return found | {f"partial.gradient.{index}": grad for index, grad in gradients if grad is not None}


def capture(parts: Parts, identity: dict[str, Any]) -> Checkpoint:
    """Everything that changes, copied to the CPU."""
    training = {**parts.state.to_json(), "part_size": parts.step.part_size}
    state: dict[str, Any] = {"training": training, "identity": identity, "choice": parts.choice.model_dump()}
    changing = tensors(parts)
    if parts.precision is not None:
        state["precision"] = parts.precision.state_dict()
        changing |= {f"precision.{name}": tensor for name, tensor in parts.precision.tensors().items()}
    kept, offsets = on_cpu(changing)
    return Checkpoint(training["step"], kept, state, offsets)


class Kept:
    """A training as the precision controller takes snapshots of it."""

    def __init__(self, parts: Parts, log: StepLog) -> None:
        self._parts, self._log = parts, log

    def tensors(self) -> dict[str, Tensor]:
        """All that changes and is a tensor, as it is; the best weights are never written over, so not they."""
        return {name: tensor for name, tensor in tensors(self._parts).items() if not name.startswith("best.")}

    def numbers(self) -> dict[str, Any]:
        """How far the training is, the sums of its epoch too."""
        self._log.flush()
        self._log.put_sums(self._parts.state)
        return {"training": self._parts.state.to_json(), "part_size": self._parts.step.part_size, "best": self._best()}

    def _best(self) -> Frozen:
        return Frozen(self._parts.state.best_weights)

    def put_back(self, tensors: Mapping[str, Tensor], numbers: dict[str, Any]) -> None:
        """Make the training as it was."""
        parts = self._parts
        parts.step.part_size = numbers["part_size"]
        vars(parts.state).update(vars(State(**numbers["training"], best_weights=numbers["best"].weights)))
        # an optimiser takes the very tensors that it is given, and goes on to write to them; a step under way too
        own = {name: t.clone() for name, t in tensors.items() if name.startswith(("optimizer.", "partial."))}
        put_back(parts, {**tensors, **own})
        self._log.take_sums(parts.state)


class Frozen:
    """Weights that nobody writes to: a copy of this shares them."""

    def __init__(self, weights: Weights | None) -> None:
        self.weights = weights

    def __deepcopy__(self, memo: dict[int, Any]) -> Frozen:
        return self


def choice_of(checkpoint: Checkpoint | None, identity: Mapping[str, Any]) -> Choice | None:
    """What a checkpoint of this training began with; a run that goes on does not measure again."""
    if checkpoint is None or differences(checkpoint, identity):
        return None
    return Choice.model_validate(checkpoint.state["choice"])


def differences(checkpoint: Checkpoint, identity: Mapping[str, Any]) -> str:
    """What a checkpoint was made for, where it differs from this training; empty when it fits.

    >>> differences(Checkpoint(1, {}, {"identity": {"epochs": 3, "seed": 0}}), {"epochs": 5, "seed": 0})
    'epochs 3 instead of 5'
    """
    theirs: Mapping[str, Any] = checkpoint.state["identity"]
    keys = sorted({*theirs, *identity})
    return ", ".join(
        f"{key} {theirs.get(key)} instead of {identity.get(key)}"
        for key in keys
        if theirs.get(key) != identity.get(key)
    )


def model_differences(checkpoint: Checkpoint, module: nn.Module, most: int = 6) -> str:
    """How the weights of a checkpoint differ in name or shape from those of a network; empty when they fit.

    >>> found = Checkpoint(1, {"model.weight": torch.zeros(3, 2), "model.old": torch.zeros(1)}, {})
    >>> model_differences(found, nn.Linear(2, 4))
    'bias is missing, old is not in the model, weight has shape 3x2 instead of 4x2'
    """
    theirs = _grouped(checkpoint.tensors)["model"]
    ours = module.state_dict()
    said = [f"{name} is missing" for name in ours if name not in theirs]
    said += [f"{name} is not in the model" for name in theirs if name not in ours]
    for name in ours:
        if name in theirs and ours[name].shape != theirs[name].shape:
            said.append(f"{name} has shape {_sides(theirs[name])} instead of {_sides(ours[name])}")
    said.sort()
    return ", ".join(said[:most]) + (f" and {len(said) - most} more" if len(said) > most else "")


def _sides(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "()"


def apply(checkpoint: Checkpoint, parts: Parts) -> None:
    """Put everything back, the numbers of how far the training is too."""
    numbers = dict(checkpoint.state["training"])
    parts.step.part_size = numbers.pop("part_size")
    best = {name: t.to(parts.device) for name, t in _grouped(checkpoint.tensors)["best"].items()}
    vars(parts.state).update(vars(State(**numbers, best_weights=best or None)))
    put_back(parts, checkpoint.tensors)
    if parts.precision is not None:
        own = {n.removeprefix("precision."): t for n, t in checkpoint.tensors.items() if n.startswith("precision.")}
        parts.precision.load_state_dict(checkpoint.state["precision"], own)


def put_back(parts: Parts, tensors: Mapping[str, Tensor]) -> None:
    """Put the tensors of :func:`tensors` back."""
    groups = _grouped(tensors)
    parts.module.load_state_dict(groups["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    parts.optimizer.load_state_dict({"state": state, "param_groups": parts.optimizer.state_dict()["param_groups"]})
    _match_layout(parts.optimizer)
    if parts.average is not None:
        parts.average.put_back(groups["average"])
    _put_partial_back(parts.step, groups["partial"], parts.device)
    random_state.put_back(groups["random"], parts.device)


def _put_partial_back(step: Step, tensors: Mapping[str, Tensor], device: torch.device) -> None:
    step.partial = None
    if not tensors:
        return
    done = int(tensors["done"])
    outputs = [tensors[f"outputs.{index}"].to(device) for index in range(done)]
    started = {name.removeprefix("started."): t for name, t in tensors.items() if name.startswith("started.")}
    step.partial = Partial(done, tensors["loss"].to(device), outputs, started)
    for index, weight in enumerate(step.parameters):
        gradient = tensors.get(f"gradient.{index}")
        weight.grad = None if gradient is None else torch.empty_like(weight).copy_(gradient)


def _grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    names = ("model", "best", "average", "optimizer", "precision", "partial", "random")
    groups: dict[str, dict[str, Tensor]] = {name: {} for name in names}
    for name, tensor in tensors.items():
        group, rest = name.split(".", 1)
        groups[group][rest] = tensor
    return groups


def _match_layout(optimizer: Optimizer) -> None:
    """Give the optimiser's tensors the memory layout of their weights: fused steps want both alike."""
    for weight, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == weight.shape and value.stride() != weight.stride():
                values[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
