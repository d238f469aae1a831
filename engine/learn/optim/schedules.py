"""Learning-rate schedules: pure functions of the step, so a resumed run has nothing to restore."""

from __future__ import annotations

import math

from engine.learn.options import ScheduleName

CYCLE_WARM_UP = 0.3
START = 1 / 25
END = 1 / 1000


def factor(name: ScheduleName, step: int, total: int, warm_up: float = 0.0) -> float:
    """Share of the highest learning rate at a step.

    Parameters
    ----------
    name
        ``"constant"``; ``"cosine"``: half a cosine from 1 to 0 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, eq. 5,
        without restarts); ``"linear"``: straight down from 1 to 0; ``"one_cycle"``: up from 1/25, then down to 1/1000,
        both along a cosine (L. N. Smith, N. Topin, "Super-convergence", 2018).
    step
        0 at the first step.
    total
        Steps of the whole training.
    warm_up
        Share of the steps in which the rate rises, in a straight line but for ``"one_cycle"``, where 0 means 0.3
        (P. Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2).

    Examples
    --------
    >>> [round(factor("cosine", step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    >>> [round(factor("one_cycle", step, 101), 3) for step in (0, 30, 100)]
    [0.04, 1.0, 0.001]
    >>> [factor("constant", step, 8, warm_up=0.5) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    if name == "one_cycle":
        peak = (warm_up or CYCLE_WARM_UP) * (total - 1)
        if step < peak:
            return _between(START, 1.0, step / peak)
        return _between(1.0, END, (step - peak) / max(1.0, total - 1 - peak))
    rising = round(warm_up * total)
    if step < rising:
        return (step + 1) / rising
    if name == "constant":
        return 1.0
    part = (step - rising) / max(1, total - rising)
    return 1 - part if name == "linear" else _between(1.0, 0.0, part)


def _between(start: float, end: float, part: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, part))) / 2
