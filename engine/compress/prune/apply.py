"""Build the smaller network and put what stays of the weights into it.

Called by pruning. Must not know how the units were chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.compress.prune.groups import Structure, with_counts
from engine.models import build


def cut(
    module: nn.Module, architecture: str, found: Structure, kept: Mapping[str, Tensor]
) -> tuple[nn.Module, dict[str, Any]]:
    """A network of the same architecture without some of its units.

    Parameters
    ----------
    module
        Left untouched.
    kept
        Name of a group -> units that stay, int64, rising. Other groups stay whole.

    Returns
    -------
    tuple
        The network, in evaluation mode, on the same device; and the configuration that builds it.

    Examples
    --------
    >>> from engine.compress.prune.groups import structure
    >>> config = {"in_features": 3, "num_classes": 2, "hidden": [4]}
    >>> net, small = cut(build("mlp", config), "mlp", structure("mlp", config), {"hidden.0": torch.tensor([0, 2])})
    >>> small["hidden"], net.head.weight.shape
    ([2], torch.Size([2, 2]))
    """
    config = with_counts(found, {name: len(units) for name, units in kept.items()})
    weights = dict(module.state_dict())
    for group in found.groups:
        if group.name not in kept:
            continue
        for part in group.slices:
            tensor = weights[part.tensor]
            weights[part.tensor] = tensor.index_select(part.side, rows(kept[group.name], part.block).to(tensor.device))
    with torch.random.fork_rng([]):  # the fresh weights are replaced; nobody's random numbers move
        small = build(architecture, config)
    small.load_state_dict(weights)
    return small.to(next(module.parameters()).device).eval(), config


def rows(units: Tensor, block: int) -> Tensor:
    """The numbers of some units, where each has several in a row.

    >>> rows(torch.tensor([0, 2]), 3).tolist()
    [0, 1, 2, 6, 7, 8]
    """
    return (units[:, None] * block + torch.arange(block)).flatten()
