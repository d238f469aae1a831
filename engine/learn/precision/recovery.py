"""From a fault to its cause: roll back, replay the same batches, change one thing, look again.

Called by the controller. A loss that is not a number, or far too high, can come from the precision, from the data or
from the learning rate; nothing but a counterfactual tells which. So the training goes back to a snapshot and

1. replays the batches as they were: the fault comes back (else it was a passing one), and a look at the failing batch
   says in which layer numbers stop being finite, or that the batch itself holds such numbers;
2. replays them one rung up from the failing step on, and one more, up to fp32: gone -> numeric;
3. leaves the failing batch out, or a few more: the next ones are good -> data;
4. takes a smaller learning rate from the step before it, then from further back: gone -> learning rate;
5. gives up, with what is known; a finite loss that is only high is then taken as it is.

What was tried and helped is an :class:`Order`, tied to the number of a step, so where the snapshots lie does not change
what comes out: the same seed gives the same orders.

Source of step 3: A. Chowdhery et al., "PaLM", 2022, section 5.1, where batches are skipped by hand.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from engine.learn.precision.diagnosis import Finding
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.signals import Fault

JUMP = 2.0
WINDOWS = (1, 4, 16)
Cause = Literal["numeric", "data", "learning_rate", "passing", "unknown"]


@dataclass(frozen=True, slots=True)
class Order:
    """What to do when a training comes to a step.

    Attributes
    ----------
    kind
        ``"rung"``: compute on ``rung`` from here on; ``"skip"``: leave the batch out; ``"cut"``: let the learning rate
        be at most ``rate`` from here on; ``"accept"``: take finite losses as they come.
    number
        Of the step, from 0.
    steps
        How long before the way back is tried; for ``"skip"``, how many batches are left out.
    """

    kind: Literal["rung", "skip", "cut", "accept"]
    number: int
    rung: str = ""
    rate: float = 0.0
    steps: int = 0


@dataclass
class Incident:
    """A fault under investigation.

    Attributes
    ----------
    number
        The step that goes wrong: the fault's, or the one before it when its gradient is found to be the first.
    rung
        Where it went wrong.
    phase
        ``"reproduce"``: the batches are replayed as they were; ``"trial"``: an order is being tried.
    orders
        What is left to try.
    trying
        What is being tried.
    """

    fault: Fault
    number: int
    rung: str
    last_good: float | None
    phase: Literal["reproduce", "trial"] = "reproduce"
    finding: Finding | None = None
    orders: list[Order] = field(default_factory=list)
    trying: Order | None = None
    loss_in_trial: float | None = None

    def settled(self, probation: int) -> int:
        """From which step on the order that is being tried counts as a remedy."""
        if self.finding is not None and self.finding.where == "inputs":
            return self.number + 1
        left_out = self.trying.steps if self.trying is not None and self.trying.kind == "skip" else 1
        return max(self.number + left_out, self.fault.number + 1) + probation


def orders_for(
    incident: Incident,
    rungs_above: Sequence[str],
    options: PrecisionOptions,
    rates: Mapping[int, float],
    stay: int = 0,
) -> list[Order]:
    """What to try against a fault that came back, in this order.

    Parameters
    ----------
    rates
        The learning rates of the last steps. Where it jumped before the fault, the rate from before the jump is tried
        before a batch is left out.
    stay
        Steps at a higher rung or a lower rate before the way back is tried.

    Examples
    --------
    >>> incident = Incident(Fault("loss", 40, float("nan")), 40, "bf16", 0.7)
    >>> steady = dict.fromkeys(range(41), 0.1)
    >>> [(order.kind, order.number) for order in orders_for(incident, ["fp32"], PrecisionOptions(), steady)]
    [('rung', 40), ('skip', 40), ('skip', 40), ('cut', 39), ('cut', 24), ('cut', 24), ('skip', 40)]
    >>> incident.finding = Finding("inputs")
    >>> [order.kind for order in orders_for(incident, ["fp32"], PrecisionOptions(), steady)]
    ['skip']
    """
    number = incident.number
    skip, some, many = (Order("skip", number, steps=count) for count in WINDOWS)
    if incident.finding is not None and incident.finding.where == "inputs":
        return [skip]
    orders = [Order("rung", number, rung=name, steps=stay) for name in rungs_above]
    rate = rates.get(number - 1)
    if rate is None:
        return [*orders, skip, some, many]
    far, cut = max(0, number - options.far_back), options.rate_cut
    before = [rates[step] for step in range(far - 1, number - 1) if step in rates]
    usual = statistics.median(before) if before else rate
    if rate > JUMP * usual:
        ways = [(number - 1, usual), (far, usual), (far, cut * usual), (far, cut * cut * usual)]
    else:
        ways = [(number - 1, cut * rate), (far, cut * rate), (far, cut * cut * rate)]
    cuts = [Order("cut", start, rate=lower, steps=stay) for start, lower in ways]
    orders += [cuts[0], skip, *cuts[1:], some, many] if rate > JUMP * usual else [skip, some, *cuts, many]
    return orders


def cause_of(order: Order) -> Cause:
    """What an order that helped says about the fault.

    >>> cause_of(Order("skip", 3))
    'data'
    """
    causes: dict[str, Cause] = {"rung": "numeric", "skip": "data", "cut": "learning_rate", "accept": "unknown"}
    return causes[order.kind]


def to_json(orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Orders as a checkpoint keeps them."""
    return [asdict(order) for order in orders]


def from_json(orders: Sequence[dict[str, Any]]) -> list[Order]:
    """Orders out of a checkpoint.

    >>> from_json(to_json([Order("skip", 3, steps=1)]))
    [Order(kind='skip', number=3, rung='', rate=0.0, steps=1)]
    """
    return [Order(**order) for order in orders]
