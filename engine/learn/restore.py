"""What a checkpoint holds of a training, and how it is put back, exactly.

Called by the training loop. Tensors are named ``model.*``, ``best.*``, ``optimizer.<index>.<name>`` and ``random.*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.learn.checkpoint import Checkpoint


def capture(
    module: nn.Module,
    optimizer: Optimizer,
    best_weights: Mapping[str, Tensor] | None,
    training: dict[str, Any],
    identity: dict[str, Any],
) -> Checkpoint:
    """Everything that changes while training, copied to the CPU."""
    tensors = {f"model.{name}": tensor for name, tensor in module.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in (best_weights or {}).items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in values.items() if value is not None}
    tensors["random.cpu"] = torch.get_rng_state()
    device = next(module.parameters()).device
    if device.type != "cpu":
        tensors[f"random.{device.type}"] = torch.get_device_module(device.type).get_rng_state(device)
    kept = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    return Checkpoint(training["step"], kept, {"training": training, "identity": identity})


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


def apply(checkpoint: Checkpoint, module: nn.Module, optimizer: Optimizer) -> dict[str, Tensor] | None:
    """Put everything back; returns the best weights so far, if any."""
    groups = _grouped(checkpoint.tensors)
    device = next(module.parameters()).device
    module.load_state_dict(groups["model"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    _match_layout(optimizer)
    torch.set_rng_state(groups["random"]["cpu"])
    if device.type != "cpu":
        torch.get_device_module(device.type).set_rng_state(groups["random"][device.type], device)
    return {name: tensor.to(device) for name, tensor in groups["best"].items()} or None


def _grouped(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}, "random": {}}
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
