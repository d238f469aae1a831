"""What a network itself tells: whether its weights are finite, how large its running statistics are, where it breaks.

Called by the controller. Must not know steps or rungs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from engine.learn.precision.diagnosis import Finding, diagnose, is_finite
from engine.learn.shards import part_here

STATISTICS_EVERY, STATISTICS_EARLY = 32, (4, 8, 16)


class Health:
    """Looks at a network.

    Parameters
    ----------
    anywhere
        True when a claim holds in any process, where several train together.

    Examples
    --------
    >>> layer = nn.BatchNorm1d(2)
    >>> health = Health(layer, None)
    >>> _ = layer.running_var.fill_(7.0)
    >>> health.is_sound(), health.largest_statistic()
    (True, 7.0)
    """

    def __init__(self, module: nn.Module, anywhere: Callable[[bool], bool] | None) -> None:
        self.module = module
        self._anywhere = anywhere
        # a mask of infinities, or weights that came broken, tell nothing of the training
        self._statistics = [buffer for buffer in module.buffers() if _is_healthy(buffer)]
        self._held = [weight for weight in module.parameters() if _is_healthy(weight)] + self._statistics

    def is_sound(self) -> bool:
        """True when all weights and statistics are finite."""
        return not self.holds(bool(self._held) and not math.isfinite(_largest(self._held)))

    def is_time(self, step: int) -> bool:
        """True when the running statistics are to be looked at; by the count of steps, never by a clock."""
        return bool(self._statistics) and (step % STATISTICS_EVERY == 0 or step in STATISTICS_EARLY)

    def largest_statistic(self) -> float | None:
        """The largest number in the running statistics; None when there are none."""
        return _largest(self._statistics) if self._statistics else None

    def finding(self, inputs: Tensor, context: Callable[[], AbstractContextManager[None]]) -> Finding:
        """Where numbers stop being finite on a batch; every process that trains with this one must ask."""
        if self.holds(not is_finite(inputs)):
            return Finding("inputs")  # on all: a network that is shared computes together or not at all

        def forward() -> object:
            with context():
                return self.module(inputs)

        return diagnose(self.module, inputs, forward)

    def holds(self, claim: bool) -> bool:
        """True when a claim holds here, or in any process that trains with this one."""
        return claim if self._anywhere is None else self._anywhere(claim)


def _is_healthy(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.numel() > 0 and is_finite(tensor.detach())


def _largest(tensors: list[Tensor]) -> float:
    """The largest magnitude in some tensors; waits for the device once."""
    parts = [part for part in map(part_here, tensors) if part.numel()]  # of a small tensor some processes hold nothing
    with torch.no_grad():
        return float(nn.utils.get_total_norm(parts, norm_type=math.inf)) if parts else 0.0
