"""A network as a graph of layers, with batch normalisation folded into the layer before it.

Called by the quantisers. Works on any network that ``torch.fx`` can trace; of one that it cannot, the layers are still
found by :func:`layers`.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from engine.errors import UserError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
WEIGHTED = (*CONVOLUTIONS, nn.Linear)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
DIMENSIONS = "dimensions"
"""Of a node's value, in its ``meta``."""
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


def traced(module: nn.Module, example: Tensor) -> fx.GraphModule:
    """A copy in evaluation mode as a graph that computes the same, for any number of examples.

    Parameters
    ----------
    example
        Inputs (B, ...): all sides but the first are taken as fixed.

    Raises
    ------
    UserError
        When the network cannot be traced, with the reason.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> [type(layer).__name__ for layer in traced(net, torch.zeros(2, 1, 4, 4)).children()]
    ['Conv2d', 'ReLU']
    """
    copied = copy.deepcopy(module).eval()
    try:
        with torch.no_grad():
            tracer = _Tracer(example)
            graph = fx.GraphModule(copied, tracer.trace(copied))
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            "The network cannot be taken apart: {problem}",
            field="model",
            hint="Its forward pass depends on the values it computes. Quantise its weights only, or keep it as it is.",
            problem=str(error).splitlines()[0],
        ) from None
    for node in graph.graph.nodes:
        value = tracer.values.get(node)
        if isinstance(value, Tensor):
            node.meta[DIMENSIONS] = value.ndim
    fold_norms(graph)
    return graph


class _Tracer(fx.Tracer):
    """Computes an example while it traces, so that a network may look at the sides of its values."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.example = example
        self.values: dict[fx.Node, Any] = {}
        self.is_computing = False

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Sided(node, self)

    def create_node(self, kind: str, target: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> fx.Node:
        node = super().create_node(kind, target, args, kwargs, *rest, **named)
        if kind != "output":
            self.is_computing = True
            try:
                self.values[node] = self._value(node)
            finally:
                self.is_computing = False
        return node

    # While a value is computed, layers and their weights are what they are.

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        return forward(*args, **kwargs) if self.is_computing else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return attr_val if self.is_computing else super().getattr(attr, attr_val, parameter_proxy_cache)

    def _value(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return self.example
        target: Any = node.target
        if node.op == "get_attr":
            return operator.attrgetter(target)(self.root)
        args: Any = fx.node.map_arg(node.args, self.values.__getitem__)
        kwargs: Any = fx.node.map_arg(node.kwargs, self.values.__getitem__)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        if node.op == "call_module":
            target = self.root.get_submodule(target)
        return target(*args, **kwargs)


class _Sided(fx.Proxy):
    """A value that knows its shape; its first side stays open."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sides: the first as a value of the graph, the others as numbers."""
        assert isinstance(self.tracer, _Tracer)
        sides = self.tracer.values[self.node].shape
        return (self.size(0), *sides[1:])


def fold_norms(graph: fx.GraphModule) -> None:
    """Put each batch normalisation into the convolution or linear layer before it, where nothing else reads that.

    A layer that is called several times, as by a network that looks at several views of an image, takes its
    normalisation in once, and only where each of its calls is followed by the same one.
    """
    calls: dict[str, list[fx.Node]] = {}
    for node in graph.graph.nodes:
        if node.op == "call_module":
            calls.setdefault(str(node.target), []).append(node)
    for target, nodes in calls.items():
        layer = graph.get_submodule(target)
        after = {user for node in nodes for user in node.users}
        names = {str(user.target) for user in after}
        if not isinstance(layer, WEIGHTED) or len(names) != 1 or any(len(node.users) != 1 for node in nodes):
            continue
        norm = layer_of(graph, next(iter(after)))
        if not isinstance(norm, NORMS) or norm.running_mean is None or after != set(calls[names.pop()]):
            continue
        fused = fuse_linear_bn_eval(layer, norm) if isinstance(layer, nn.Linear) else fuse_conv_bn_eval(layer, norm)
        graph.set_submodule(target, fused)
        for node in nodes:
            (normalised,) = node.users
            normalised.replace_all_uses_with(node)
            graph.graph.erase_node(normalised)
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
