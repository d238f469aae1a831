"""Learning-rate schedules: pure functions of the step, so a resumed run has nothing to restore."""

from __future__ import annotations

import math

from engine.learn.options import ScheduleName

WARM_UP = 0.3
START = 1 / 25
END = 1 / 1000


def factor(name: ScheduleName, step: int, total: int) -> float:
    """Share of the highest learning rate at a step.

    Parameters
    ----------
    name
        ``"constant"``; ``"cosine"``: half a cosine from 1 to 0 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, eq. 5,
        without restarts); ``"one_cycle"``: up from 1/25 in the first 30 % of the steps, then down to 1/1000, both
        along a cosine (L. N. Smith, N. Topin, "Super-convergence", 2018).
    step
        0 at the first step.
    total
        Steps of the whole training.

    Examples
    --------
    >>> [round(factor("cosine", step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    >>> [round(factor("one_cycle", step, 101), 3) for step in (0, 30, 100)]
    [0.04, 1.0, 0.001]
    """
    if name == "constant":
        return 1.0
    if name == "cosine":
        return _between(1.0, 0.0, step / total)
    peak = WARM_UP * (total - 1)
    if step < peak:
        return _between(START, 1.0, step / peak)
    return _between(1.0, END, (step - peak) / max(1.0, total - 1 - peak))


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, part))) / 2
