"""On which rung a training is, how high its learning rate may be, and the way back.

Called by the controller. Everything here follows from the numbers of the steps and the orders, so a replay goes the
same way. Must not know why a rung is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.compute.rungs import Rung
from engine.learn.precision import explain
from engine.learn.precision.recovery import Order


class Ladder:
    """The rungs of a training, from the fastest to the safest, and the cap on the learning rate.

    Parameters
    ----------
    start
        Where the training begins and where it goes back to.
    most_switches
        After so many changes it stays at the higher rung: each one may compile the network anew.

    Examples
    --------
    >>> from engine.compute.rungs import RUNGS
    >>> ladder = Ladder([RUNGS["bf16"], RUNGS["fp32"]], RUNGS["bf16"], 8, lambda *_, **__: None)
    >>> ladder.obey(Order("rung", 5, rung="fp32", steps=10))
    >>> ladder.rung.name, ladder.back(14), ladder.rung.name, ladder.back(15), ladder.rung.name
    ('fp32', None, 'fp32', None, 'bf16')
    """

    def __init__(self, rungs: Sequence[Rung], start: Rung, most_switches: int, decide: explain.Decide) -> None:
        self.rungs = list(rungs)
        self._names: list[str] = [rung.name for rung in rungs]
        self._base = self._at = self.rungs.index(start)
        self._most_switches, self._decide = most_switches, decide
        self._switches = 0
        self._climbed: tuple[int, int] | None = None  # since which step, until which
        self._cut: tuple[int, int] | None = None
        self._said = -1
        self._cap: float | None = None
        self._raised = False

    @property
    def rung(self) -> Rung:
        """Where the training is."""
        return self.rungs[self._at]

    @property
    def above(self) -> list[str]:
        """Names of the rungs above, the next one first."""
        return [rung.name for rung in self.rungs[self._at + 1 :]]

    def climb(self, name: str, number: int, steps: int) -> None:
        """Compute on a higher rung from a step on."""
        index = self._names.index(name)
        if index != self._at:
            self._switches += 1
        self._at, self._climbed = index, (number, number + steps)

    def obey(self, order: Order) -> None:
        """Do what an order says, as far as it is about the rung or the rate."""
        if order.kind == "rung":
            self.climb(order.rung, order.number, order.steps)
        elif order.kind == "cut":
            self._cap, self._raised = order.rate, False
            self._cut = (order.number, order.number + order.steps)

    def back(self, number: int) -> None:
        """Take the ways back that are due when a step begins."""
        if self._climbed is not None and number >= self._climbed[1]:
            self._down(number, *self._climbed)
        if self._cut is not None and number >= self._cut[1]:
            assert self._cap is not None
            since, until = self._cut
            self._cap, self._raised, self._cut = 2 * self._cap, True, (number, number + (until - since))
            if number > self._said:
                explain.rate_back(self._decide, number + 1, self._cap)
                self._said = number

    def rate(self, wanted: float) -> float:
        """The learning rate of a step, at most what faults have left of it."""
        if self._cap is None:
            return wanted
        if self._raised and self._cap >= wanted:
            self._cap = self._cut = None
            return wanted
        return min(wanted, self._cap)

    def _down(self, number: int, since: int, until: int) -> None:
        self._climbed = None
        if self._at <= self._base or self._switches + 1 >= self._most_switches:
            return
        high = self.rung.name
        self._at -= 1
        self._switches += 1
        if self._at > self._base:
            self._climbed = (number, number + (until - since))
        if number > self._said:
            explain.back_down(self._decide, number + 1, self.rung.name, high, until - since)
            self._said = number

    def state_dict(self) -> dict[str, Any]:
        """JSON."""
        return {
            "rung": self.rung.name,
            "switches": self._switches,
            "climbed": list(self._climbed) if self._climbed else None,
            "cut": list(self._cut) if self._cut else None,
            "cap": self._cap,
            "raised": self._raised,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As it was."""
        self._at = self._names.index(state["rung"])
        self._switches = state["switches"]
        self._cap, self._raised = state["cap"], state["raised"]
        self._climbed = (state["climbed"][0], state["climbed"][1]) if state["climbed"] else None
        self._cut = (state["cut"][0], state["cut"][1]) if state["cut"] else None
