"""What the removed channels said is told by those that stay: the layers that read them are written anew.

Called by pruning, before batch normalisation is counted anew and before any training. Needs examples, no labels. Must
not know how the units were chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.compress.prune.apply import rows
from engine.compress.prune.groups import Group
from engine.compress.prune.importance import reads

ROWS_AT_ONCE = 8192
MOST_INPUTS = 4096
DAMPING = 1e-3


@dataclass
class Moments:
    """Sums over everything that a layer read.

    Attributes
    ----------
    count
        Rows that were added.
    total, products
        float64 (C,) and (C, C).
    """

    count: int
    total: Tensor
    products: Tensor


def read_moments(
    module: nn.Module,
    groups: Sequence[Group],
    batches: Iterable[Tensor],
    check: Callable[[], None] = lambda: None,
) -> dict[str, Moments]:
    """Mean and covariance of what the layers read whose inputs can shrink.

    Parameters
    ----------
    batches
        Inputs as the network takes them, (B, ...).
    check
        Called before each batch; may raise to stop.

    Returns
    -------
    dict
        Name of a layer -> its inputs' moments, over places of an image or tokens of a text too. Layers with more than
        4096 inputs are left out: they are cut without being mended.
    """
    names = {part.tensor.removesuffix(".weight") for group in groups for part in group.slices if reads(module, part)}
    found: dict[str, Moments] = {}
    handles: list[RemovableHandle] = []

    def watch(name: str, layer: nn.Module) -> None:
        width = inputs_of(layer)
        found[name] = Moments(
            0, torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
        )

        def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].detach()
            x_NC = (x if isinstance(layer, nn.Linear) else x.movedim(1, -1)).reshape(-1, width)
            x_NC = x_NC[:: max(1, len(x_NC) // ROWS_AT_ONCE)].float()
            moments = found[name]
            moments.count += len(x_NC)
            moments.total += x_NC.sum(0).double().cpu()
            moments.products += (x_NC.T @ x_NC).double().cpu()

        handles.append(layer.register_forward_pre_hook(see))

    for name in sorted(names):
        layer = module.get_submodule(name)
        if inputs_of(layer) <= MOST_INPUTS:
            watch(name, layer)
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                check()
                module(batch)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    return {name: moments for name, moments in found.items() if moments.count}


def inputs_of(layer: nn.Module) -> int:
    """Inputs of a linear layer, or channels that a convolution reads.

    >>> inputs_of(nn.Linear(3, 2))
    3
    """
    assert isinstance(layer.weight, Tensor)
    return layer.weight.shape[1]


def mend(
    original: nn.Module,
    small: nn.Module,
    groups: Sequence[Group],
    kept: Mapping[str, Tensor],
    moments: Mapping[str, Moments],
) -> int:
    """Let the layers of a pruned network read, from what stays, the best guess of what is gone; in place.

    A layer computes ``W x``. Its inputs that stay predict those that went linearly, ``x_R = A x_K + b`` with the least
    squared error over the examples, so its new weights are ``W_K + W_R A``, and ``W_R b`` goes into its bias. A
    convolution does so at every place of its filter.

    Parameters
    ----------
    original
        The network before.
    small
        The same after :func:`engine.compress.prune.apply.cut`.
    kept
        Name of a group -> units that stay.
    moments
        From :func:`read_moments` on the original.

    Returns
    -------
    int
        Layers that were written anew.

    Notes
    -----
    The idea is that of Y. He, X. Zhang, J. Sun, "Channel pruning for accelerating very deep neural networks", ICCV
    2017, and J.-H. Luo et al., "ThiNet", ICCV 2017. Solving it between channels instead of all taps of a filter makes
    it cost as much as a few steps of training; the difference between both is what lies at the border of an image.

    Examples
    --------
    >>> from engine.compress.prune.apply import cut
    >>> from engine.compress.prune.groups import structure
    >>> from engine.models import build
    >>> config = {"in_features": 3, "num_classes": 2, "hidden": [3]}
    >>> net, found = build("mlp", config), structure("mlp", config)
    >>> with torch.no_grad():  # the third neuron says the same as the first
    ...     for tensor in (net.layers[0].weight, net.layers[0].bias):
    ...         _ = tensor[2].copy_(tensor[0])
    >>> x, kept = torch.randn(50, 3), {"hidden.0": torch.tensor([0, 1])}
    >>> small, _ = cut(net, "mlp", found, kept)
    >>> mend(net, small, found.groups, kept, read_moments(net, found.groups, [x]))
    1
    >>> bool((small(x) - net(x)).abs().max() < 0.02)
    True
    """
    shrunk = [(group, part) for group in groups if group.name in kept for part in group.slices]
    outputs = {part.tensor: rows(kept[group.name], part.block) for group, part in shrunk if part.side == 0}
    written = 0
    for group, part in shrunk:
        name = part.tensor.removesuffix(".weight")
        if name in moments and reads(original, part):
            before, after = original.get_submodule(name), small.get_submodule(name)
            assert isinstance(before.weight, Tensor)
            left = outputs.get(part.tensor, torch.arange(len(before.weight)))
            _write(before, after, rows(kept[group.name], part.block), left, moments[name])
            written += 1
    return written


@torch.no_grad()
def _write(before: nn.Module, after: nn.Module, stays: Tensor, left: Tensor, moments: Moments) -> None:
    """Inputs ``stays`` stay of a layer, and outputs ``left``."""
    assert isinstance(before.weight, Tensor)
    assert isinstance(after.weight, Tensor)
    bias = before.bias if isinstance(before.bias, Tensor) else None
    mean = moments.total / moments.count
    # A linear layer without a bias has nowhere to put a mean. Behind a convolution without one stands a normalisation.
    if bias is None and isinstance(before, nn.Linear):
        mean = torch.zeros_like(mean)
    covariance = moments.products / moments.count - mean[:, None] * mean
    is_gone = torch.ones(len(mean), dtype=torch.bool)
    is_gone[stays] = False
    inner = covariance[stays][:, stays]
    damping = DAMPING * inner.diagonal().mean().clamp(min=1e-12)
    guess_KR = torch.linalg.solve(inner + damping * torch.eye(len(stays)), covariance[stays][:, is_gone])
    read_OR = before.weight.double().cpu()[left][:, is_gone]
    change = torch.einsum("or...,kr->ok...", read_OR, guess_KR)
    after.weight += change.to(after.weight)
    if bias is not None and isinstance(after.bias, Tensor):
        rest = mean[is_gone] - mean[stays] @ guess_KR
        after.bias += (read_OR.flatten(2).sum(2) if read_OR.ndim > 2 else read_OR).matmul(rest).to(after.bias)
