"""How much each channel, neuron or head matters: one number for every unit of a group.

Called by pruning. Must not know how many units go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.compress.prune.groups import Group, Slice
from engine.errors import UserError

Importance = Literal["l1", "l2", "taylor", "batch_norm"]
Loss = Callable[[Tensor, Tensor], Tensor]
Scores = dict[str, Tensor]

READERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def scores(
    module: nn.Module,
    groups: Sequence[Group],
    importance: Importance,
    labelled: Iterable[tuple[Tensor, Tensor]] = (),
    loss: Loss = nn.functional.cross_entropy,
    check: Callable[[], None] = lambda: None,
) -> Scores:
    """The importance of every unit.

    Parameters
    ----------
    importance
        ``"l1"``, ``"l2"``: mean size of the weights that make or read a unit, relative to the other units of its group
        (H. Li et al., "Pruning filters for efficient ConvNets", ICLR 2017; over all coupled layers as in G. Fang et
        al., "DepGraph", CVPR 2023). ``"batch_norm"``: size of its factor in batch normalisation, relative likewise
        (Z. Liu et al., "Network slimming", ICCV 2017). ``"taylor"``: how much the loss would change without it, to
        first order (P. Molchanov et al., "Importance estimation for neural network pruning", CVPR 2019).
    labelled
        For ``"taylor"``: inputs (B, ...) and their targets.
    loss
        For ``"taylor"``: outputs and targets to one number.
    check
        Called before each batch; may raise to stop.

    Returns
    -------
    Scores
        Name of a group -> float64 (count,), not negative. For ``"batch_norm"`` without the groups that have none.

    Raises
    ------
    UserError
        When there are no labelled examples, or no batch normalisation.

    Examples
    --------
    >>> from engine.compress.prune.groups import structure
    >>> config = {"in_features": 2, "num_classes": 1, "hidden": [2]}
    >>> from engine.models import build
    >>> net = build("mlp", config)
    >>> with torch.no_grad():
    ...     _ = net.layers[0].weight.copy_(torch.tensor([[3.0, 3.0], [1.0, 1.0]]))
    ...     _ = net.head.weight.copy_(torch.tensor([[1.0, 1.0]]))
    >>> scores(net, structure("mlp", config).groups, "l1")["hidden.0"].tolist()
    [1.25, 0.75]
    """
    if importance == "taylor":
        return _taylor(module, groups, labelled, loss, check)
    weights = dict(module.named_parameters())
    if importance == "batch_norm":
        return _batch_norm(module, weights, groups)
    power = 1 if importance == "l1" else 2
    return {group.name: _size(weights, group, power) for group in groups}


def units(tensor: Tensor, part: Slice, count: int) -> Tensor:
    """A tensor by units: (count, numbers of a unit)."""
    return tensor.movedim(part.side, 0).reshape(count, -1)


def reads(module: nn.Module, part: Slice) -> bool:
    """True where a slice is the input of a layer."""
    owner, _, name = part.tensor.rpartition(".")
    layer = module.get_submodule(owner)
    is_single = getattr(layer, "groups", 1) > 1  # a filter of single channels has its channels in front
    return name == "weight" and part.side == 1 and isinstance(layer, READERS) and not is_single


def _size(weights: Mapping[str, Tensor], group: Group, power: int) -> Tensor:
    parts = [part for part in group.slices if part.tensor in weights and weights[part.tensor].ndim > 1]
    sizes = [
        units(weights[part.tensor].detach().double(), part, group.count).abs().pow(power).mean(1).pow(1 / power)
        for part in parts
    ]
    return torch.stack([_relative(size) for size in sizes]).mean(0)


def _batch_norm(module: nn.Module, weights: Mapping[str, Tensor], groups: Sequence[Group]) -> Scores:
    found: Scores = {}
    for group in groups:
        factors = [
            units(weights[part.tensor].detach().double(), part, group.count).abs().mean(1)
            for part in group.slices
            if part.tensor.endswith(".weight")
            and isinstance(module.get_submodule(part.tensor.removesuffix(".weight")), _BatchNorm)
            and weights[part.tensor].requires_grad
        ]
        if factors:
            found[group.name] = torch.stack([_relative(factor) for factor in factors]).mean(0)
    if not found:
        raise UserError(
            "The network has no batch normalisation whose factors could rank its channels",
            field="importance",
            hint="Take the importance l1, l2 or taylor.",
        )
    return found


def _taylor(
    module: nn.Module,
    groups: Sequence[Group],
    labelled: Iterable[tuple[Tensor, Tensor]],
    loss: Loss,
    check: Callable[[], None],
) -> Scores:
    """Squares of what the loss would change by if a unit were scaled, summed over batches.

    Scaling a unit is scaling what reads it, so that is where weight times gradient is summed: it counts normalisation
    and activation in between. Where no layer reads a group by itself, every matrix that hangs on it stands for it.
    """
    weights = dict(module.named_parameters())
    parts = {group.name: _gates(module, weights, group) for group in groups}
    wanted = sorted({part.tensor for found in parts.values() for part in found})
    total = {group.name: torch.zeros(group.count, dtype=torch.float64) for group in groups}
    required = {name: weights[name].requires_grad for name in wanted}
    training, seen = module.training, 0
    module.eval()
    try:
        for name in wanted:
            weights[name].requires_grad_(True)
        for x, y in labelled:
            check()
            seen += len(x)
            gradients = torch.autograd.grad(loss(module(x), y), [weights[name] for name in wanted])
            change = {name: (weights[name].detach() * g) for name, g in zip(wanted, gradients, strict=True)}
            for group in groups:
                gate = sum(
                    units(change[part.tensor], part, group.count).double().sum(1).cpu() for part in parts[group.name]
                )
                total[group.name] += torch.as_tensor(gate).square()
    finally:
        module.train(training)
        for name, was in required.items():
            weights[name].requires_grad_(was)
    if not seen:
        raise UserError(
            "The importance taylor needs examples with their targets",
            field="importance",
            hint="Connect the training data, or take the importance l1.",
        )
    return {name: values.sqrt() for name, values in total.items()}


def _gates(module: nn.Module, weights: Mapping[str, Tensor], group: Group) -> list[Slice]:
    reading = [part for part in group.slices if reads(module, part)]
    return reading or [part for part in group.slices if part.tensor in weights and weights[part.tensor].ndim > 1]


def _relative(values: Tensor) -> Tensor:
    return values.cpu() / values.mean().cpu().clamp(min=1e-12)
