"""Follows one fault at a time from where it was seen to a verdict.

Called by the controller, with one reading after another; says what to do next. Must not know snapshots or rungs: it
names the step to go back to, and the controller goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.errors import UserError
from engine.learn.precision import explain
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.recovery import Cause, Incident, Order, cause_of, orders_for
from engine.learn.precision.signals import Fault, LossWindow, Reading


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signals of the last steps ask for.

    Attributes
    ----------
    kind
        ``"go"``; ``"rollback"``: the training was put back to an earlier step, to look at a fault again, or to try
        another rung, ``"skip"`` a batch or ``"cut"`` the learning rate; ``"switch"``: another rung from the next step
        on; ``"stop"``: raise ``error``.
    step
        Where the training goes back to at the latest.
    """

    kind: Literal["go", "rollback", "switch", "skip", "cut", "stop"]
    step: int = 0
    error: UserError | None = None

    @property
    def goes_back(self) -> bool:
        """True when the training was put back to an earlier step."""
        return self.kind in ("rollback", "skip", "cut")


GO = Verdict("go")


class Tracer:
    """The incident that is being looked into, and the orders that came of those before.

    Attributes
    ----------
    orders
        What to do at which step; kept after they helped, so that a later replay does the same.
    learning_rate
        The newest, for what an error says.
    """

    def __init__(self, options: PrecisionOptions, window: LossWindow, decide: explain.Decide) -> None:
        self._options, self._window, self._decide = options, window, decide
        window.accepts = self._accepts
        self.incident: Incident | None = None
        self.orders: list[Order] = []
        self.faults: list[int] = []
        self.stay = options.stay_up
        self.learning_rate: float | None = None
        self._last_remedy: dict[Cause, int] = {}
        self._tried = 0
        self._first: Incident | None = None

    def open(self, fault: Fault, rung: str) -> Verdict:
        """A fault was seen in the usual course."""
        options = self._options
        incident = Incident(fault, fault.number, rung, self._window.last_good)
        self.faults = [number for number in self.faults if fault.number - number < options.failure_window]
        if not self.faults:
            self._first, self._tried = incident, 0
        self.faults.append(fault.number)
        if not options.recover or len(self.faults) > options.most_failures:
            return self._give_up(self._first or incident)
        self.incident = incident
        return Verdict("rollback", max(fault.number - 1, 0))

    def trace(
        self, reading: Reading, scaled: bool, rungs_above: Sequence[str], rates: Mapping[int, float]
    ) -> Verdict | None:
        """Take one reading of a replay; None: go on."""
        incident = self.incident
        assert incident is not None
        if incident.phase == "reproduce":
            return self._reproduce(incident, reading, scaled, rungs_above, rates)
        start = min(incident.number, incident.trying.number) if incident.trying else incident.number
        if start <= reading.number <= incident.fault.number and self._window.bad(reading, scaled):
            return self._try_next(incident)
        if self._window.feed(reading, scaled) is not None and reading.number >= start:
            return self._try_next(incident)
        if reading.number == incident.fault.number:
            incident.loss_in_trial = reading.loss
        return None

    def _reproduce(
        self,
        incident: Incident,
        reading: Reading,
        scaled: bool,
        rungs_above: Sequence[str],
        rates: Mapping[int, float],
    ) -> Verdict | None:
        last = incident.fault.number
        if reading.number == last:
            came_back = self._window.bad(reading, scaled)
        else:
            seen = self._window.feed(reading, scaled)
            came_back = seen is not None
            if seen is not None:
                incident.number = seen.number
        if came_back:
            incident.phase = "trial"
            stay = self._stay_for(incident)
            incident.orders = orders_for(incident, rungs_above, self._options, rates, stay)
            return self._try_next(incident)
        if reading.number == last:
            self._window.feed(reading, scaled)
            self.close("passing")
        return None

    def not_before(self, step: int) -> None:
        """An order from before the oldest snapshot begins with the snapshot."""
        incident = self.incident
        if incident is None or incident.trying is None or incident.trying.number >= step:
            return
        moved = replace(incident.trying, number=step)
        self.orders[self.orders.index(incident.trying)] = moved
        incident.trying = moved

    def settle(self, step: int, over: bool = False) -> bool:
        """Count the order that is being tried as a remedy when enough steps were good, or the training is over."""
        incident = self.incident
        if incident is None or incident.phase != "trial" or incident.trying is None:
            return False
        if not over and step < incident.settled(self._options.probation):
            return False
        self.close(cause_of(incident.trying))
        return True

    def forget(self, step: int) -> None:
        """Drop the orders that no rollback can come to any more."""
        self.orders = [order for order in self.orders if order.number + order.steps >= step]

    def abandon(self) -> None:
        """Forget the incident; what was being tried is not tried any more."""
        if self.incident is not None and self.incident.trying is not None:
            self.orders.remove(self.incident.trying)
        if self.incident is not None:
            self.faults.pop()
        self.incident = None

    def close(self, cause: Cause) -> None:
        """The incident is over."""
        incident = self.incident
        assert incident is not None
        self.incident = None
        if cause in ("numeric", "learning_rate"):
            self.stay = self._stay_for(incident)
            self._last_remedy[cause] = incident.number
        explain.attributed(self._decide, incident, cause, self._tried)

    def _stay_for(self, incident: Incident) -> int:
        """How long to stay away: twice as long when the last way back was soon followed by this."""
        relapsed = any(incident.number - number < 2 * self.stay for number in self._last_remedy.values())
        return 2 * self.stay if relapsed else self.stay

    def _try_next(self, incident: Incident) -> Verdict:
        if incident.trying is not None:
            self.orders.remove(incident.trying)
        if not incident.orders:
            return self._give_up(incident)
        order = incident.trying = incident.orders.pop(0)
        self.orders.append(order)
        self._tried += 1
        kinds: dict[str, Literal["rollback", "skip", "cut"]] = {"skip": "skip", "cut": "cut"}
        return Verdict(kinds.get(order.kind, "rollback"), order.number)

    def _accepts(self, number: int) -> bool:
        """True for steps whose finite losses are taken as they come."""
        return any(o.kind == "accept" and o.number <= number < o.number + o.steps for o in self.orders)

    def _give_up(self, incident: Incident) -> Verdict:
        if incident.fault.kind in ("spike", "statistics") and self._options.recover:
            incident.trying = Order("accept", incident.number, steps=self._options.window)
            self.orders.append(incident.trying)
            self.incident, self.faults = None, []
            explain.attributed(self._decide, incident, "unknown", self._tried)
            return Verdict("rollback", incident.number)
        error = explain.failed(incident.fault, incident.last_good, incident.finding, self.learning_rate, self._tried)
        return Verdict("stop", incident.number, error)
