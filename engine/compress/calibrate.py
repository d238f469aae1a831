"""Choose a range for every rounded value from data, and correct what rounding shifts.

Called by the quantisers. Two walks over the calibration data: one counts the values, the other measures, for each value
and each candidate range, how far what reads the value is from its true outputs, and takes the range that errs least.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from engine.compress.graph import WEIGHTED, layer_of
from engine.compress.points import is_integer, rounded_values
from engine.compress.ranges import METHODS, Histogram, Range
from engine.compress.rounding import ACTIVATIONS, Rounded, RoundedWeight, affine_scale, round_trip

Values = dict[fx.Node, Any]
Check = Callable[[], None]


@dataclass(frozen=True)
class ChosenRange:
    """The range of one value.

    Attributes
    ----------
    method
        The name of the one that was taken.
    errors
        Method -> relative squared error of what reads the value.
    """

    low: float
    high: float
    method: str
    errors: dict[str, float]


def count_values(graph: fx.GraphModule, batches: Sequence[Tensor], check: Check = lambda: None) -> dict[str, Histogram]:
    """Name of each value that will be rounded -> the histogram of its numbers.

    Parameters
    ----------
    batches
        Inputs as the network takes them.
    check
        Called before each batch; may raise to stop.
    """
    places = rounded_values(graph)
    seen = {node.name: Histogram() for node in places}
    for batch in batches:
        check()
        values = run(graph, batch)
        for node in places:
            seen[node.name].add(values[node].detach())
    return seen


def choose_ranges(
    graph: fx.GraphModule,
    seen: Mapping[str, Histogram],
    batch: Tensor,
    methods: Collection[str],
    check: Check = lambda: None,
) -> dict[str, ChosenRange]:
    """The range of each value that lets what reads it err least.

    Parameters
    ----------
    seen
        As counted.
    batch
        Inputs to measure with.
    methods
        Names from :data:`engine.compress.ranges.METHODS` to choose among; ``min_max`` is the first of equals.
    """
    values = run(graph, batch)
    chosen = {}
    for node in rounded_values(graph):
        check()
        histogram = seen[node.name]
        candidates: dict[str, Range] = {name: METHODS[name](histogram) for name in METHODS if name in methods}
        errors = {name: _error(graph, node, values, limits) for name, limits in candidates.items()}
        best = min(errors, key=errors.__getitem__)
        chosen[node.name] = ChosenRange(*candidates[best], best, errors)
    return chosen


def insert_rounding(
    graph: fx.GraphModule, chosen: Mapping[str, ChosenRange], kept: Collection[str] = ()
) -> dict[str, str]:
    """Round values and weights in place; returns value -> the name of the layer that rounds it.

    Parameters
    ----------
    kept
        Layers that stay in floats.
    """
    placed = {}
    for node in rounded_values(graph, kept):
        limits = chosen[node.name]
        name = f"rounded_{node.name}"
        graph.add_submodule(name, Rounded(*affine_scale(limits.low, limits.high), ACTIVATIONS))
        with graph.graph.inserting_after(node):
            rounded = graph.graph.call_module(name, (node,))
        node.replace_all_uses_with(rounded)
        rounded.update_arg(0, node)  # the line above made it read itself
        placed[node.name] = name
    for node in list(graph.graph.nodes):
        layer = layer_of(graph, node)
        if isinstance(layer, WEIGHTED) and str(node.target) not in kept:
            graph.set_submodule(str(node.target), RoundedWeight(layer))
    graph.recompile()
    return placed


def correct_biases(
    original: fx.GraphModule, rounded: fx.GraphModule, batch: Tensor, check: Check = lambda: None
) -> None:
    """Shift biases so that each channel's mean is what it was before rounding, layer after layer.

    Source: M. Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019,
    section 4.2, with means taken from data.

    Parameters
    ----------
    original
        The folded network in floats, with the same names of layers.
    """
    true = {node.name: value for node, value in run(original, batch).items()}

    class Corrected(fx.Interpreter):
        """Computes the rounded network once and moves each bias as soon as its layer is reached."""

        def run_node(self, n: fx.Node) -> Tensor:
            value: Tensor = super().run_node(n)
            layer = layer_of(rounded, n)
            if not isinstance(layer, RoundedWeight):
                return value
            check()
            axis = value.ndim - 1 if isinstance(layer.layer, nn.Linear) else 1
            kept = [place for place in range(value.ndim) if place != axis]
            shift = (true[n.name] - value).mean(kept)
            bias = getattr(layer.layer, "bias", None)
            moved = shift if bias is None else bias.detach() + shift
            layer.layer.register_parameter("bias", nn.Parameter(moved))
            shape = [1] * value.ndim
            shape[axis] = -1
            corrected: Tensor = value + shift.reshape(shape)
            return corrected

    with torch.no_grad():
        Corrected(rounded).run(batch)


def run(graph: fx.GraphModule, batch: Tensor) -> Values:
    """Every node's value for a batch."""
    values: Values = {}

    class Keeping(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            # Layers that write in place would change what was kept.
            values[n] = value.clone() if isinstance(value, Tensor) else value
            return value

    with torch.no_grad():
        Keeping(graph).run(batch)
    return values


def _error(graph: fx.GraphModule, node: fx.Node, values: Values, limits: Range) -> float:
    """Squared error of the layers that read a value when only it is rounded, relative to their outputs' size."""
    scale, zero = affine_scale(*limits)
    rounded = round_trip(values[node], scale, zero, -1, ACTIVATIONS.low, ACTIVATIONS.high)
    total, count = 0.0, 0
    for user in node.users:
        if not is_integer(graph, user, ()):
            continue
        true = values[user]
        found = _call(graph, user, {**values, node: rounded})
        total += float((found - true).square().sum() / true.square().sum().clamp(min=1e-12))
        count += 1
    if count:
        return total / count
    true = values[node]
    return float((rounded - true).square().sum() / true.square().sum().clamp(min=1e-12))


def _call(graph: fx.GraphModule, node: fx.Node, values: Values) -> Tensor:
    """What one node makes of given values."""
    interpreter = fx.Interpreter(graph)
    # Copies, since a sum may write in place.
    interpreter.env = {used: values[used].clone() for used in node.all_input_nodes}
    with torch.no_grad():
        out: Tensor = interpreter.run_node(node)
    return out
