"""How often to look, so that looking costs little.

Called by the controller. What a look costs and what a step takes are measured, and the pause between two looks follows.
Nothing that is decided depends on it: faults are found by their step, not by when one looked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

SHARE = 0.0025
MOST = 64
FIXED = 16


class Pace:
    """Times steps and looks.

    Attributes
    ----------
    step_s
        What a step takes, newest measurement; 0 before the first.
    read_every, norm_every
        Steps between two readings of the signals, and between two measurements of the gradient's norm.

    Examples
    --------
    >>> times = iter([0.0, 1.0, 1.001])
    >>> pace = Pace(clock=lambda: next(times))
    >>> pace.begin(step=0)
    >>> pace.looked(step=10, started=pace.now())
    >>> pace.step_s, pace.read_every
    (0.1, 4)
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.now = clock
        self.step_s = 0.0
        self.read_every, self.norm_every = 1, 1
        self._norm_s = 0.0
        self._step, self._at = 0, 0.0

    def begin(self, step: int) -> None:
        """Measure steps from here on."""
        self._step, self._at = step, self.now()

    def measured_norm(self, seconds: float) -> None:
        """The norm of a gradient took so long."""
        self._norm_s = seconds

    def looked(self, step: int, started: float) -> None:
        """The signals of the steps up to here were read."""
        ended = self.now()
        done = step - self._step
        if done > 0:
            self.step_s = (started - self._at) / done
            self.read_every = _every(ended - started, self.step_s)
            self.norm_every = _every(self._norm_s, self.step_s)
        self._step, self._at = step, ended


class FixedPace(Pace):
    """The same pace in every process, whatever their clocks say."""

    def __init__(self) -> None:
        super().__init__()
        self.read_every = self.norm_every = FIXED

    def looked(self, step: int, started: float) -> None:
        """Nothing follows from it."""


def _every(cost_s: float, step_s: float) -> int:
    return min(MOST, max(1, math.ceil(cost_s / (SHARE * step_s) - 1e-9))) if step_s > 0 else 1
