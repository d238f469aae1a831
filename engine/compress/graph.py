"""A network as a graph of layers, with batch normalisation folded into the layer before it.

Called by the quantisers. Works on any network that ``torch.fx`` can trace; of one that it cannot, the layers are still
found by :func:`layers`.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from engine.errors import UserError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WEIGHTED = (*CONVOLUTIONS, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


def traced(module: nn.Module) -> fx.GraphModule:
    """A copy in evaluation mode as a graph that computes the same.

    Raises
    ------
    UserError
        When the network cannot be traced, with the reason.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> [type(layer).__name__ for layer in traced(net).children()]
    ['Conv2d', 'ReLU']
    """
    try:
        graph = fx.symbolic_trace(copy.deepcopy(module).eval())
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            "The network cannot be taken apart: {problem}",
            field="model",
            hint="Its forward pass depends on the values it computes. Quantise its weights only, or keep it as it is.",
            problem=str(error).splitlines()[0],
        ) from None
    fold_norms(graph)
    return graph


def fold_norms(graph: fx.GraphModule) -> None:
    """Put each batch normalisation into the convolution or linear layer before it, where nothing else reads that."""
    for node in list(graph.graph.nodes):
        norm = layer_of(graph, node)
        if not isinstance(norm, NORMS):
            continue
        before = node.args[0]
        layer = layer_of(graph, before)
        if not isinstance(layer, WEIGHTED) or len(before.users) > 1 or norm.running_mean is None:
            continue
        if isinstance(layer, nn.Linear):
            fused: nn.Module = fuse_linear_bn_eval(layer, norm)
        else:
            fused = fuse_conv_bn_eval(layer, norm)
        graph.set_submodule(before.target, fused)
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
    graph.delete_all_unused_submodules()
    graph.recompile()


def layer_of(graph: fx.GraphModule, node: object) -> nn.Module | None:
    """The layer that a node calls, if it calls one."""
    if not isinstance(node, fx.Node) or node.op != "call_module":
        return None
    return graph.get_submodule(str(node.target))


def layers(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Name and layer of everything with a weight that multiplies: convolutions and linear layers, in order."""
    for name, layer in module.named_modules():
        if isinstance(layer, WEIGHTED):
            yield name, layer


def is_addition(node: fx.Node) -> bool:
    """True for the sum of two values."""
    return node.op in ("call_function", "call_method") and node.target in ADDITIONS
