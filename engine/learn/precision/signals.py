"""The free signals: what each step gives away without another pass.

Called by the controller. The loss and, where it was measured, the norm of the gradient stay on the device until
:meth:`Signals.read` takes all of them at once. Which step is at fault does not depend on when they are read: the window
that a loss is compared with changes at fixed counts of losses, never with the clock.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from engine.learn.precision.options import PrecisionOptions

BLOCK = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """One step's signals, on the host.

    Attributes
    ----------
    number
        Of the step, from 0.
    norm
        Of the gradient over all weights; None when it was not measured.
    held
        The largest number in the network's running statistics after the step; None when it was not measured.
    marks
        True when later ones are compared with ``held``: at fixed counts of steps, so that looking more often, as a
        replay does, does not make a jump into many small ones.
    """

    number: int
    loss: float
    norm: float | None
    held: float | None = None
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """The first step that went wrong, and by what one sees it.

    Attributes
    ----------
    limit
        What the loss should have stayed below; None when it is not a finite number.
    """

    kind: Literal["loss", "gradient", "spike", "statistics"]
    number: int
    loss: float
    limit: float | None = None


class Signals:
    """Gathers losses and norms on the device."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._losses: list[Tensor] = []
        self._norms: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, loss: Tensor, norm: Tensor | None) -> None:
        """Gather one step; nothing is read."""
        self._numbers.append(number)
        self._losses.append(loss.detach())
        if norm is not None:
            self._norms[number] = norm

    def read(self) -> list[Reading]:
        """All that was gathered, in order; waits for the device once."""
        if not self._numbers:
            return []
        gathered = torch.stack([*self._losses, *(n.to(self._losses[0].dtype) for n in self._norms.values())])
        values = gathered.tolist()
        norms = dict(zip(self._norms, values[len(self._numbers) :], strict=True))
        readings = [
            Reading(number, loss, norms.get(number)) for number, loss in zip(self._numbers, values, strict=False)
        ]
        self.clear()
        return readings

    def clear(self) -> None:
        """Forget what was gathered."""
        self._numbers, self._losses, self._norms = [], [], {}


class LossWindow:
    """The last good losses, and how high the next one may be.

    Robust: the median and the median distance from it, which a few outliers do not move (F. Hampel, "The influence
    curve and its role in robust estimation", 1974).

    Attributes
    ----------
    accepts
        Says of a step's number whether any finite loss is good there.
    last_good
        The newest finite loss that was not too high.

    Examples
    --------
    >>> window = LossWindow(PrecisionOptions(spike_steps=2))
    >>> steady = [Reading(n, 1.0 + 0.1 * (n % 3), None) for n in range(16)]
    >>> [window.feed(reading, scaled=False) for reading in steady].count(None)
    16
    >>> window.feed(Reading(16, 9.0, None), scaled=False), window.calm
    (None, False)
    >>> window.feed(Reading(17, 9.5, None), scaled=False).number
    16
    """

    def __init__(self, options: PrecisionOptions) -> None:
        self._options = options
        self._losses: deque[float] = deque(maxlen=options.window)
        self._high: list[Reading] = []
        self._taken = 0
        self.accepts: Callable[[int], bool] = lambda number: False
        self._held: float | None = None
        self.limit: float | None = None
        self._outrageous: float | None = None
        self.last_good: float | None = None

    @property
    def calm(self) -> bool:
        """False while losses are too high, but not yet for long enough to be a fault."""
        return not self._high

    def feed(self, reading: Reading, scaled: bool) -> Fault | None:
        """Take one reading; returns the fault that it completes.

        Parameters
        ----------
        scaled
            True on a rung where gradients may overflow: the scaler sees to those.
        """
        if not math.isfinite(reading.loss):
            first = self._high[0] if self._high else reading
            self._high = []
            return Fault("loss", first.number, reading.loss) if first is reading else self._spike(first)
        if reading.norm is not None and not math.isfinite(reading.norm) and not scaled:
            self._high = []
            return Fault("gradient", reading.number, reading.loss)
        if self._jumped(reading):
            self._high = []
            return Fault("statistics", reading.number, reading.loss)
        if self.limit is not None and reading.loss > self.limit and not self.accepts(reading.number):
            self._high.append(reading)
            outrageous = self._outrageous is not None and reading.loss > self._outrageous
            if not outrageous and len(self._high) < self._options.spike_steps:
                return None
            first, self._high = self._high[0], []
            return self._spike(first)
        for kept in (*self._high, reading):
            self._take(kept.loss)
        if reading.held is not None and reading.marks:
            self._held = max(reading.held, self._held or 0.0)
        self._high = []
        return None

    def bad(self, reading: Reading, scaled: bool) -> bool:
        """True when one reading alone is no sign of a healthy training."""
        if not math.isfinite(reading.loss):
            return True
        if reading.norm is not None and not math.isfinite(reading.norm) and not scaled:
            return True
        if self.accepts(reading.number):
            return False
        return self._jumped(reading) or (self.limit is not None and reading.loss > self.limit)

    def _jumped(self, reading: Reading) -> bool:
        """True when the running statistics are out of all proportion to what they were."""
        if reading.held is None or self._held is None or self.accepts(reading.number):
            return False
        return not reading.held <= self._options.most_growth * max(self._held, 1.0)

    def _spike(self, reading: Reading) -> Fault:
        return Fault("spike", reading.number, reading.loss, self.limit)

    def _take(self, loss: float) -> None:
        self._losses.append(loss)
        self._taken += 1
        self.last_good = loss
        if self._taken % BLOCK == 0:
            self._set_limits()
        elif self._taken < BLOCK:
            # too few for a spread: several times as much as a network knows nothing with
            highest = max(self._losses)
            reach = max(self._options.spike_ratio * abs(highest), 1e-4)
            self.limit, self._outrageous = highest + reach, highest + self._options.outrageous * reach

    def _set_limits(self) -> None:
        middle = statistics.median(self._losses)
        deviation = 1.4826 * statistics.median(abs(loss - middle) for loss in self._losses)
        options = self._options
        reach = max(options.spike_sigmas * deviation, options.spike_ratio * (max(self._losses) - middle))
        # a loss that hardly moves has no spread: a tenth of it, and a ten-thousandth at all, are still no fault
        reach = max(reach, 0.1 * abs(middle), 1e-4)
        self.limit, self._outrageous = middle + reach, middle + options.outrageous * reach

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint and a snapshot keep; JSON."""
        return {
            "losses": list(self._losses),
            "held": self._held,
            "high": [[reading.number, reading.loss, reading.norm, reading.held] for reading in self._high],
            "taken": self._taken,
            "limit": self.limit,
            "outrageous": self._outrageous,
            "last_good": self.last_good,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As it was."""
        self._losses = deque(state["losses"], maxlen=self._options.window)
        self._high = [Reading(*values) for values in state["high"]]
        self._held = state["held"]
        self._taken, self.last_good = state["taken"], state["last_good"]
        self.limit, self._outrageous = state["limit"], state["outrageous"]
