"""INT4 weights: linear layers and tables in groups of whole numbers of 4 bits, everything else in floats.

Called by the compress blocks and the search. For language models, whose time and memory go into reading weights. What
is ours: ranges are searched with the weight of the inputs, scales are solved for once more after rounding, and a table
that also scores words is rounded for both uses and kept once. The kernels are the runtime's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.compress.int4_groups import GroupedEmbedding, GroupedLinear, Groups
from engine.compress.int4_solve import Solved, solve
from engine.compress.int4_watch import Seen, watch
from engine.compress.sensitivity import LAYERS
from engine.errors import UserError

GROUPS = (16, 32, 64, 128, 256)
"""What the runtime's kernels take."""
LEAST_SAVED = 0.5
"""A layer that would shrink less than this stays in floats."""


@dataclass(frozen=True)
class RoundedLayer:
    """What became of one layer.

    Attributes
    ----------
    bits, group
        Width of its whole numbers, and how many columns share a scale.
    error
        Squared error of what the layer makes, relative to its size.
    bytes_before, bytes_after
        Of its weight.
    """

    bits: int
    group: int
    error: float
    bytes_before: int
    bytes_after: int


@dataclass(frozen=True)
class Int4:
    """A network with weights of whole numbers.

    Attributes
    ----------
    module
        Computes in floats with rounded weights; can be exported.
    layers
        Name -> what became of it.
    kept
        Layers with weights that stay in floats.
    """

    module: nn.Module
    layers: dict[str, RoundedLayer]
    kept: tuple[str, ...]


def quantize_int4(
    module: nn.Module,
    batches: Sequence[Tensor],
    *,
    bits: int = 4,
    group: int = 32,
    kept: Collection[str] = (),
    tables: bool = True,
    search: bool = True,
    compensate: bool = True,
    refit: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Int4:
    """Round the weights of linear layers and tables.

    Parameters
    ----------
    module
        Trained; left untouched. On the CPU.
    batches
        Inputs as the network takes them, each (B, ...): float32, or int64 tokens. A hundred texts are enough.
    bits
        4 or 8.
    group
        Columns that share a scale: 16, 32, 64, 128 or 256.
    kept
        Names of layers that stay in floats.
    tables
        Whether tables of words are rounded too.
    search, compensate, refit
        See :func:`engine.compress.int4_solve.solve`.
    check
        Called often; may raise to stop.

    Raises
    ------
    UserError
        When there is no data, or no layer that could be rounded.

    Notes
    -----
    Source: E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers",
    2022.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    >>> x = torch.randn(128, 64)
    >>> small = quantize_int4(net, [x])
    >>> small.layers["0"].bytes_after, small.layers["0"].bytes_before
    (2624, 16384)
    >>> bool((small.module(x) - net(x)).std() < 0.1 * net(x).std())
    True
    """
    if group not in GROUPS:
        raise UserError(
            "Groups have {known} columns, not {group}",
            field="group",
            group=group,
            known=", ".join(str(one) for one in GROUPS),
        )
    seen = observed(module, batches, check)
    solved: dict[str, Solved] = {}
    for name, one in seen.items():
        if name in kept or (one.looked_up and not tables):
            continue
        check()
        solved[name] = solve_layer(
            module, name, one, bits=bits, group=group, search=search, compensate=compensate, refit=refit, check=check
        )
    return assembled(module, solved)


def observed(module: nn.Module, batches: Sequence[Tensor], check: Callable[[], None] = lambda: None) -> dict[str, Seen]:
    """The linear layers and tables that a network uses and that would shrink, and what they are multiplied with.

    Raises
    ------
    UserError
        When there is no data, or no such layer.
    """
    if not sum(len(batch) for batch in batches):
        raise UserError(
            "There are no examples to round the weights by",
            field="calibration",
            hint="Give examples like those in use; a hundred are enough.",
        )
    copied = copy.deepcopy(module).eval()
    found = {}
    for name, seen in watch(copied, batches, check).layers.items():
        layer = copied.get_submodule(name)
        if isinstance(layer, nn.Linear | nn.Embedding) and _shrinks(layer.weight):
            found[name] = seen
    if not found:
        raise UserError(
            "The network has no linear layer or table that would shrink",
            field="model",
            hint="Its weights are in convolutions or small: quantise it to INT8 instead.",
        )
    return found


def solve_layer(
    module: nn.Module,
    name: str,
    seen: Seen,
    *,
    bits: int,
    group: int = 32,
    search: bool = True,
    compensate: bool = True,
    refit: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Solved:
    """Round one layer of a network."""
    layer = module.get_submodule(name)
    assert isinstance(layer, nn.Linear | nn.Embedding)
    moments = seen.moments
    if moments is not None and seen.looked_up:
        # Its rows are read as they are, too: there an error counts alike in every column.
        moments = moments / moments.diagonal().mean().clamp(min=1e-12) + torch.eye(len(moments))
    return solve(
        layer.weight, moments, bits=bits, group=group, search=search, compensate=compensate, refit=refit, check=check
    )


def assembled(module: nn.Module, solved: Mapping[str, Solved]) -> Int4:
    """A copy of a network with some of its layers rounded."""
    copied, kept = replaced(module, solved, lambda name, layer: grouped(layer, solved[name].groups))
    return Int4(copied, {name: report(found) for name, found in solved.items()}, kept)


def replaced(
    module: nn.Module, names: Collection[str], make: Callable[[str, nn.Linear | nn.Embedding], nn.Module]
) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy of a network with other layers in place of some.

    Parameters
    ----------
    names
        Of the layers.
    make
        A name among these and a layer -> what takes its place. Called for every layer that shares the weight.

    Returns
    -------
    tuple
        The copy, and the layers with weights that stay.
    """
    copied = copy.deepcopy(module).eval()
    layers: dict[str, Any] = {name: layer for name, layer in copied.named_modules() if isinstance(layer, LAYERS)}
    owners = {id(layer.weight): name for name, layer in layers.items() if name in names}
    kept = []
    for name, layer in layers.items():
        owner = owners.get(id(layer.weight))
        if owner is None:
            kept.append(name)
        else:
            copied.set_submodule(name, make(owner, layer))
    return copied, tuple(kept)


def grouped(layer: nn.Linear | nn.Embedding, groups: Groups) -> nn.Module:
    """What takes the place of a layer whose weight is whole numbers."""
    return GroupedEmbedding(groups) if isinstance(layer, nn.Embedding) else GroupedLinear(groups, layer.bias)


def report(found: Solved) -> RoundedLayer:
    """What became of a layer."""
    groups = found.groups
    return RoundedLayer(groups.bits, groups.group, found.error, 4 * groups.codes.numel(), groups.bytes)


def _shrinks(weight: Tensor) -> bool:
    rows, columns = weight.shape
    count = -(-columns // 32)
    return rows * (count * 16 + 4 * count + 1) < LEAST_SAVED * 4 * rows * columns
