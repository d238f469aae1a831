"""Where a network's values are rounded, so that an integer runtime computes it in whole numbers from end to end.

Called by the quantisers. Every value that a convolution, a linear layer or a sum beside convolutions reads gets a
scale, and so does what they make; a ReLU is part of what makes its input, so the value is rounded behind it. What a
linear layer makes of sequences stays in floats unless whole numbers read it: the runtime's products give floats there.
Layers that a caller leaves out stay in floats, and so do the values that only they touch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import torch
from torch import fx, nn
from torch.nn import functional

from engine.compress.graph import CONVOLUTIONS, DIMENSIONS, NORMS, WEIGHTED, is_addition, layer_of

RECTIFIERS = (nn.ReLU, nn.ReLU6)
RECTIFYING = (torch.relu, functional.relu, functional.relu6, "relu", "relu_")
SAME_RANGE = (nn.MaxPool1d, nn.MaxPool2d, nn.Identity, nn.Flatten, nn.Dropout)
"""Layers whose outputs are inputs: they keep the scale."""

ARRANGING = frozenset(
    {
        "add", "cat", "chunk", "contiguous", "dropout", "dropout_", "expand", "flatten", "getattr", "getitem", "iadd",
        "permute", "relu", "relu_", "relu6", "reshape", "size", "split", "squeeze", "transpose", "unflatten",
        "unsqueeze", "view",
    }
)  # fmt: skip
"""Operations that compute nothing which could be rounded, and those that are looked at elsewhere."""


def rounded_values(graph: fx.GraphModule, kept: Collection[str] = ()) -> list[fx.Node]:
    """Nodes whose value gets a scale, in order.

    Parameters
    ----------
    kept
        Names of layers that stay in floats.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 1))
    >>> [node.name for node in rounded_values(fx.symbolic_trace(net))]
    ['input_1', '_1', '_2']
    """
    integer = [node for node in graph.graph.nodes if is_integer(graph, node, kept)]
    places: dict[fx.Node, None] = {}
    for node in integer:
        for value in node.all_input_nodes:
            places[origin(graph, value)] = None
        if not _gives_floats(graph, node):
            places[_behind_rectifier(graph, node)] = None
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    return sorted(places, key=order.__getitem__)


def is_integer(graph: fx.GraphModule, node: fx.Node, kept: Collection[str]) -> bool:
    """True when a node is to be computed in whole numbers."""
    if isinstance(layer_of(graph, node), WEIGHTED):
        return str(node.target) not in kept
    return (
        is_addition(node)
        and len(node.all_input_nodes) == 2
        and any(_is_of_convolution(graph, value) for value in node.all_input_nodes)
    )


def _gives_floats(graph: fx.GraphModule, node: fx.Node) -> bool:
    """True for a linear layer on more than rows: runtimes have no whole numbers behind its bias anyway."""
    return isinstance(layer_of(graph, node), nn.Linear) and node.meta.get(DIMENSIONS, 2) > 2


def _is_of_convolution(graph: fx.GraphModule, value: fx.Node) -> bool:
    """True for what a convolution makes, with its normalisation and rectifier: sums of other values stay in floats."""
    while is_rectifier(graph, value) or isinstance(layer_of(graph, value), (*SAME_RANGE, *NORMS)):
        value = value.all_input_nodes[0]
    return isinstance(layer_of(graph, value), CONVOLUTIONS)


def origin(graph: fx.GraphModule, value: fx.Node) -> fx.Node:
    """Where the scale of a value comes from: before layers that only pick or reshape."""
    while isinstance(layer_of(graph, value), SAME_RANGE):
        value = value.all_input_nodes[0]
    return value


def _behind_rectifier(graph: fx.GraphModule, node: fx.Node) -> fx.Node:
    users = list(node.users)
    if len(users) == 1 and is_rectifier(graph, users[0]):
        return users[0]
    return node


def is_rectifier(graph: fx.GraphModule, node: fx.Node) -> bool:
    """True for ReLU in any form."""
    if isinstance(layer_of(graph, node), RECTIFIERS):
        return True
    return node.op in ("call_function", "call_method") and node.target in RECTIFYING


def float_operators(graph: fx.GraphModule, kept: Collection[str] = ()) -> list[str]:
    """What stays in floats, by name: layers that are kept, and operators that have no form in whole numbers.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2), nn.GELU())
    >>> float_operators(fx.symbolic_trace(net))
    ['GELU (2)']
    """
    counted: Counter[str] = Counter()
    for node in graph.graph.nodes:
        layer = layer_of(graph, node)
        if isinstance(layer, WEIGHTED):
            if str(node.target) in kept:
                counted[str(node.target)] += 1
        elif layer is not None:
            if not isinstance(layer, (*RECTIFIERS, *SAME_RANGE)):
                counted[type(layer).__name__] += 1
        elif node.op in ("call_function", "call_method"):
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            if name not in ARRANGING and not is_integer(graph, node, kept):
                counted[name] += 1
    return [name if times == 1 else f"{name} ({times})" for name, times in counted.items()]
