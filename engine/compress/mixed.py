"""Mixed INT4 and INT8: every layer gets the fewest bits that the answers bear.

Called by the compress blocks and the search. Convolutional networks keep inputs of 8 bits and compute in whole numbers;
transformers keep floats and read weights in groups. What is ours: rounding to 4 bits carries its error on, so that more
layers bear it; layers are ranked by what a saved byte costs; and the number that bear 4 bits is found by computing the
whole network, not by adding up what single layers cost.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, fx, nn

from engine.compress.calibrate import choose_ranges, correct_biases, count_values, insert_rounding
from engine.compress.channels import Channels, round_channels
from engine.compress.graph import CONVOLUTIONS, WEIGHTED, traced
from engine.compress.int4 import grouped, observed, replaced, solve_layer
from engine.compress.int4_solve import Solved
from engine.compress.int4_watch import watch
from engine.compress.int8 import MEASURED_EXAMPLES, require_examples
from engine.compress.ranges import METHODS
from engine.compress.rounding import RoundedWeight
from engine.compress.sensitivity import LayerSensitivity, relative_error
from engine.errors import UserError

Check = Callable[[], None]
Inputs = Literal["auto", "int8", "float"]
MOST_ERROR = 0.1
BITS = (4, 8)


@dataclass(frozen=True)
class Mixed:
    """A network with layers of 4 and of 8 bits.

    Attributes
    ----------
    module
        Computes as the runtime will; can be exported.
    bits
        Layer -> bits of its weight.
    error
        How far the outputs of the examples move, relative to their spread.
    sensitivity
        What each layer costs at each number of bits when it alone is rounded.
    kept
        Layers with weights that stay in floats.
    inputs
        ``"int8"`` or ``"float"``.
    """

    module: nn.Module
    bits: dict[str, int]
    error: float
    sensitivity: list[LayerSensitivity]
    kept: tuple[str, ...]
    inputs: str


def quantize_mixed(
    module: nn.Module,
    batches: Sequence[Tensor],
    *,
    max_error: float = MOST_ERROR,
    inputs: Inputs = "auto",
    kept: Collection[str] = (),
    methods: Collection[str] = tuple(METHODS),
    check: Check = lambda: None,
) -> Mixed:
    """Give as many layers as possible 4 bits, and the others 8.

    Parameters
    ----------
    module
        Trained; left untouched. On the CPU.
    batches
        Inputs as the network takes them, each (B, ...).
    max_error
        How far the outputs may move: root of the mean squared change, relative to their spread. Where 8 bits
        everywhere move them further already, every layer gets 8.
    inputs
        What layers read: ``"int8"``, rounded with fixed ranges; ``"float"``, weights only; ``"auto"``: whole numbers
        for networks with convolutions.
    kept
        Names of layers that stay in floats.
    methods
        How ranges of inputs may be chosen.
    check
        Called often; may raise to stop.

    Raises
    ------
    UserError
        When there is too little data, or the network has no layer that could be rounded or cannot be taken apart.

    Notes
    -----
    Sources: Z. Dong et al., "HAWQ: Hessian aware quantization of neural networks with mixed precision", ICCV 2019, for
    layers ranked by sensitivity; E. Frantar et al., GPTQ, 2022, for the rounding.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    >>> x = torch.randn(32, 1, 8, 8)
    >>> set(quantize_mixed(net, [x], max_error=1.0).bits.values())
    {4}
    >>> set(quantize_mixed(net, [x], max_error=0.0).bits.values())
    {8}
    """
    if inputs == "auto":
        has_convolutions = any(isinstance(layer, CONVOLUTIONS) for layer in module.modules())
        inputs = "int8" if has_convolutions and batches[0].is_floating_point() else "float"
    if inputs == "int8":
        return _whole(module, batches, max_error, kept, methods, check)
    return _weights(module, batches, max_error, kept, check)


class Rounding(Protocol):
    """A network whose layers can be given either number of bits."""

    def __call__(self, bits: Mapping[str, int]) -> float:
        """The error of the whole network with these bits."""

    def bytes(self, layer: str, bits: int) -> int:
        """Of one weight."""


def share_bits(
    layers: Sequence[str], rounding: Rounding, max_error: float, sizes: Mapping[str, int], check: Check
) -> tuple[dict[str, int], list[LayerSensitivity]]:
    """The most layers of 4 bits that keep the error of the whole network in its bounds.

    Parameters
    ----------
    layers
        Names, in the order of the network.
    sizes
        Layer -> bytes of its weight in floats.

    Returns
    -------
    tuple
        Layer -> bits, and what each layer costs alone.
    """
    wide = dict.fromkeys(layers, 8)
    all_wide = rounding(wide)
    rows, price = [], {}
    for name in layers:
        check()
        alone = rounding({**wide, name: 4})
        added = max(0.0, alone**2 - all_wide**2)
        price[name] = added / max(1, rounding.bytes(name, 8) - rounding.bytes(name, 4))
        rows += [
            LayerSensitivity(name, number, error, sizes[name], rounding.bytes(name, number))
            for number, error in ((8, all_wide), (4, alone))
        ]
    cheapest = sorted(layers, key=price.__getitem__)

    def bits(count: int) -> dict[str, int]:
        return {**wide, **dict.fromkeys(cheapest[:count], 4)}

    low, high = 0, len(layers)  # so many bear it, and at most so many
    while low < high:
        check()
        middle = (low + high + 1) // 2
        if rounding(bits(middle)) <= max_error:
            low = middle
        else:
            high = middle - 1
    return bits(low), rows


class _Static:
    """A traced network with rounded inputs, whose weights are exchanged in place."""

    def __init__(
        self, graph: fx.GraphModule, made: Mapping[str, Mapping[int, Channels]], x: Tensor, true: Tensor
    ) -> None:
        self.graph, self.made, self.x, self.true = graph, made, x, true

    def __call__(self, bits: Mapping[str, int]) -> float:
        for name, number in bits.items():
            layer = self.graph.get_submodule(name)
            assert isinstance(layer, RoundedWeight)
            self.made[name][number].put_into(layer)
        with torch.no_grad():
            return relative_error(self.graph(self.x), self.true)

    def bytes(self, layer: str, bits: int) -> int:
        return self.made[layer][bits].bytes


def _whole(
    module: nn.Module,
    batches: Sequence[Tensor],
    max_error: float,
    kept: Collection[str],
    methods: Collection[str],
    check: Check,
) -> Mixed:
    require_examples(batches)
    original = traced(module, batches[0][:2])
    sample = batches[0][:MEASURED_EXAMPLES]
    ranges = choose_ranges(original, count_values(original, batches, check), sample, methods, check)
    seen = watch(original, batches, check).layers
    made = {}
    for name, layer in original.named_modules():
        if isinstance(layer, WEIGHTED) and name in seen and name not in kept:
            check()
            made[name] = {bits: round_channels(layer.weight, seen[name].moments, bits, check) for bits in BITS}
    graph = copy.deepcopy(original)
    insert_rounding(graph, ranges, kept)
    with torch.no_grad():
        true = original(sample)
    rounding = _Static(graph, made, sample, true)
    sizes = {name: 4 * found[8].codes.numel() for name, found in made.items()}
    bits, rows = share_bits(list(made), rounding, max_error, sizes, check)
    error = rounding(bits)
    corrected = copy.deepcopy(graph)
    correct_biases(original, corrected, sample, check)
    with torch.no_grad():
        its_error = relative_error(corrected(sample), true)
    if its_error <= error:  # each layer's mean is put right, which seldom moves the outputs further
        graph, error = corrected, its_error
    return Mixed(graph, bits, error, rows, tuple(kept), "int8")


class _Grouped:
    """A network whose weights are read in groups."""

    def __init__(self, module: nn.Module, made: Mapping[str, Mapping[int, Solved]], x: Tensor) -> None:
        self.module, self.made, self.x = module, made, x
        with torch.no_grad():
            self.true = copy.deepcopy(module).eval()(x)

    def build(self, bits: Mapping[str, int]) -> tuple[nn.Module, tuple[str, ...]]:
        """The network, and the layers that stay in floats."""
        return replaced(self.module, bits, lambda name, layer: grouped(layer, self.made[name][bits[name]].groups))

    def __call__(self, bits: Mapping[str, int]) -> float:
        with torch.no_grad():
            return relative_error(self.build(bits)[0](self.x), self.true)

    def bytes(self, layer: str, bits: int) -> int:
        return self.made[layer][bits].groups.bytes


def _weights(
    module: nn.Module, batches: Sequence[Tensor], max_error: float, kept: Collection[str], check: Check
) -> Mixed:
    seen = {name: one for name, one in observed(module, batches, check).items() if name not in kept}
    if not seen:
        raise UserError("Every layer is to stay in floats", field="model", hint="Name fewer layers to keep.")
    made = {}
    for name, one in seen.items():
        check()
        made[name] = {bits: solve_layer(module, name, one, bits=bits, check=check) for bits in BITS}
    rounding = _Grouped(module, made, batches[0][: MEASURED_EXAMPLES // 2])
    sizes = {name: 4 * found[8].groups.codes.numel() for name, found in made.items()}
    bits, rows = share_bits(list(made), rounding, max_error, sizes, check)
    built, left = rounding.build(bits)
    return Mixed(built, bits, rounding(bits), rows, left, "float")
