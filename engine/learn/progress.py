"""How far a training is, how fast it goes and when it will be over.

Called by the training loop whenever it reports. Must not know what a step does.
"""

from __future__ import annotations

import time

from engine.spec import RunContext

EVERY_S = 2.0
"""Seconds between two points of the throughput."""


class Progress:
    """Tells the run of progress and throughput.

    Parameters
    ----------
    rate
        Name of the throughput's metric, and units in one example.
    steps
        In one epoch.
    """

    def __init__(self, ctx: RunContext, rate: tuple[str, float], steps: int, epochs: int) -> None:
        self._ctx, self._rate, self._steps, self._epochs = ctx, rate, steps, epochs
        self._first_step, self._told_step, self._seen = 0, 0, 0
        self._started = self._told = time.monotonic()

    def begin(self, step: int) -> None:
        """The training starts, or goes on after ``step`` steps."""
        self._first_step = self._told_step = step
        self._started = self._told = time.monotonic()

    def saw(self, examples: int) -> None:
        """Count examples of a step."""
        self._seen += examples

    def report(self, step: int, over: bool = False) -> None:
        """Say how far the training is; now and then, and at the end of an epoch, how fast.

        Parameters
        ----------
        step
            Steps done.
        over
            True at the end of an epoch.
        """
        now = time.monotonic()
        passed = now - self._told
        if step > self._told_step and passed > 0 and (over or passed >= EVERY_S):
            name, units = self._rate
            self._ctx.metric(name, self._seen * units / passed, step)
            self._told, self._told_step, self._seen = now, step, 0
        done = step - self._first_step
        left = self._steps * self._epochs - step
        eta_s = (now - self._started) / done * left if done > 0 else None
        self._ctx.progress(step / self._steps, self._epochs, "epochs", eta_s)
