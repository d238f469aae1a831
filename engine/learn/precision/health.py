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
        self._statistics = [buffer for buffer in module.buffers() if buffer.is_floating_point()]

    def is_sound(self) -> bool:
        """True when all weights and statistics are finite."""
        held = [t for t in (*self.module.parameters(), *self.module.buffers()) if t.is_floating_point()]
        with torch.no_grad():
            sound = not held or is_finite(nn.utils.get_total_norm(held, norm_type=math.inf))
        return not self.holds(not sound)

    def is_time(self, step: int) -> bool:
        """True when the running statistics are to be looked at; by the count of steps, never by a clock."""
        return bool(self._statistics) and (step % STATISTICS_EVERY == 0 or step in STATISTICS_EARLY)

    def largest_statistic(self) -> float | None:
        """The largest number in the running statistics; None when there are none."""
        if not self._statistics:
            return None
        with torch.no_grad():
            return float(nn.utils.get_total_norm(self._statistics, norm_type=math.inf))

    def finding(self, inputs: Tensor, context: Callable[[], AbstractContextManager[None]]) -> Finding:
        """Where numbers stop being finite on a batch."""

        def forward() -> object:
            with context():
                return self.module(inputs)

        found = diagnose(self.module, inputs, forward)
        return Finding("inputs") if self.holds(found.where == "inputs") else found

    def holds(self, claim: bool) -> bool:
        """True when a claim holds here, or in any process that trains with this one."""
        return claim if self._anywhere is None else self._anywhere(claim)
