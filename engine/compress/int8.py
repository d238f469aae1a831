"""INT8 after training: whole-number weights and activations, from a few batches of data and no training.

Called by the compress blocks and the search. What is ours: the range of every value is chosen by the error of what
reads it, biases are corrected, and layers can be kept in floats. The integer kernels are the runtime's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from torch import Tensor, fx, nn

from engine.compress.calibrate import ChosenRange, choose_ranges, correct_biases, count_values, insert_rounding
from engine.compress.graph import traced
from engine.compress.points import float_operators
from engine.compress.ranges import METHODS
from engine.errors import UserError

LEAST_EXAMPLES = 8
MEASURED_EXAMPLES = 64


@dataclass(frozen=True)
class Int8:
    """A network that rounds as the integer runtime will.

    Attributes
    ----------
    graph
        Computes with rounded weights and values; can be trained further and exported.
    ranges
        Value -> what was chosen for it.
    kept
        Layers that stay in floats.
    floats
        Everything that stays in floats, by name: these layers, and operators that have no form in whole numbers.
    """

    graph: fx.GraphModule
    ranges: dict[str, ChosenRange]
    kept: tuple[str, ...]
    floats: tuple[str, ...] = ()


def quantize_int8(
    module: nn.Module,
    batches: Sequence[Tensor],
    *,
    methods: Collection[str] = tuple(METHODS),
    correct: bool = True,
    kept: Collection[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Int8:
    """Quantise a network after training.

    Parameters
    ----------
    module
        Trained; left untouched. On the CPU.
    batches
        Inputs as the network takes them, each (B, ...) float32, or int64 tokens: what it sees in use. 100 to 500
        examples are enough.
    methods
        How ranges may be chosen, see :mod:`engine.compress.ranges`.
    correct
        Whether biases are corrected.
    kept
        Names of layers that stay in floats.
    check
        Called often; may raise to stop.

    Raises
    ------
    UserError
        When there is too little data, or the network cannot be taken apart.

    Notes
    -----
    Sources: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", CVPR 2018; M. Nagel et al., "A white paper on neural network quantization", 2021.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> x = torch.randn(64, 4)
    >>> small = quantize_int8(net, [x])
    >>> bool((small.graph(x) - net(x)).abs().max() < 0.05)
    True
    """
    require_examples(batches)
    original = traced(module, batches[0][:2])
    seen = count_values(original, batches, check)
    sample = batches[0][:MEASURED_EXAMPLES]
    ranges = choose_ranges(original, seen, sample, methods, check)
    rounded = copy.deepcopy(original)
    insert_rounding(rounded, ranges, kept)
    if correct:
        correct_biases(original, rounded, sample, check)
    return Int8(rounded, ranges, tuple(kept), tuple(float_operators(original, kept)))


def require_examples(batches: Sequence[Tensor]) -> None:
    """UserError when there are too few examples to find ranges by."""
    examples = sum(len(batch) for batch in batches)
    if examples < LEAST_EXAMPLES:
        raise UserError(
            "{count} examples are too few to find the ranges of the activations",
            field="calibration",
            hint="Use at least {least}; a few hundred are better.",
            count=examples,
            least=LEAST_EXAMPLES,
        )
