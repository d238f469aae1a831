"""The ratio that brings a network to a size, an amount of work or a latency.

Called by the prune block and the search. Must not know how units are ranked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from engine.compress.macs import count
from engine.compress.prune.choose import MOST, Scope
from engine.compress.prune.method import Cost, Pruned, Pruning
from engine.compress.prune.timing import latencies
from engine.errors import UserError

Target = Literal["size", "macs", "latency"]
Share = Callable[[Pruned], float]

LOOKS = 7
"""Halvings of the ratio's interval: it is found to less than a hundredth."""
TIMING_S = 0.4


def share_of(target: Target, original: nn.Module, one: Tensor, check: Callable[[], None] = lambda: None) -> Share:
    """What is left of a network's size, work or latency, as a function of a pruned one.

    Parameters
    ----------
    original
        What it is a share of.
    one
        An input (1, ...) to time with.
    """
    if target == "size":
        whole = sum(parameter.numel() for parameter in original.parameters())
        return lambda small: small.params_after / whole
    if target == "macs":
        work = count(original, one).macs
        return lambda small: small.macs_after / work

    def timed(small: Pruned) -> float:
        found = latencies({"original": original, "small": small.module}, one, TIMING_S, check)
        return found["small"] / found["original"]

    return timed


def cost_of(target: Target) -> Cost:
    """What a unit costs where something is to be brought down: parameters, or work, which also stands for time."""
    return (lambda counts: counts.params) if target == "size" else (lambda counts: counts.macs)


def prune_to(
    pruning: Pruning, share: Share, remaining: float, scope: Scope, round_to: int, *, field: str = "remaining"
) -> tuple[Pruned, float]:
    """The network pruned so far that at most a share of something is left.

    Parameters
    ----------
    share
        From :func:`share_of`; falls with the ratio, up to the noise of a clock.
    remaining
        The share that may be left, above 0 and at most 1.

    Returns
    -------
    tuple
        The pruned network, and its ratio: the lowest one tried that reaches the goal.

    Raises
    ------
    UserError
        When the goal cannot be reached, with the least that is left.

    Examples
    --------
    >>> import torch
    >>> from engine.models import build
    >>> config = {"in_features": 4, "num_classes": 2, "hidden": [256, 256]}
    >>> net, one = build("mlp", config), torch.zeros(1, 4)
    >>> small, ratio = prune_to(Pruning(net, "mlp", config, one), share_of("macs", net, one), 0.3, "layer", 8)
    >>> small.macs_after <= 0.3 * small.macs_before and 0.3 < ratio < 0.5
    True
    """
    if remaining >= 1:
        return pruning.at(0.0, scope, round_to), 0.0
    low, high = 0.0, _highest(pruning, scope, round_to)
    least = share(pruning.at(high, scope, round_to, finished=False))
    if least > remaining:
        raise UserError(
            "{remaining} % cannot be reached: with as few channels as there may be, {least} % is left",
            field=field,
            hint="Allow more to be left, round the channels to a smaller number, or choose another model.",
            remaining=round(100 * remaining, 1),
            least=round(100 * least, 1),
        )
    for _ in range(LOOKS):
        middle = (low + high) / 2
        if share(pruning.at(middle, scope, round_to, finished=False)) <= remaining:
            high = middle
        else:
            low = middle
    return pruning.at(high, scope, round_to), high


def _highest(pruning: Pruning, scope: Scope, round_to: int) -> float:
    """The highest ratio that leaves every layer something."""

    def goes(ratio: float) -> bool:
        try:
            pruning.chosen(ratio, scope, round_to)
        except UserError:
            return False
        return True

    if goes(MOST):
        return MOST
    low, high = 0.0, MOST
    for _ in range(LOOKS):
        middle = (low + high) / 2
        low, high = (middle, high) if goes(middle) else (low, middle)
    return low
