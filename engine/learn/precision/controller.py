"""Watches over the precision of a training, and over the training itself.

Called by the training loop and its step, in this order::

    begin(number)                 False: leave this batch out
    rate(number, wanted)          the learning rate
    look(number, inputs, targets)
    with autocast(): forward      the loss in fp32, outside
    backward(loss)                for each part of the batch
    unscale, clip, norm           when the gradient is clipped, or `watches` says so
    apply(optimizer)
    observe(number, loss, norm)
    due(step) -> verdict(step)    a rollback has put the training back already

One class for all precisions: a fixed one is a ladder of one rung whose faults are explained instead of recovered. All
that is decided is said through ``decide``. Must not know epochs, metrics or files.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.compute.rungs import Rung
from engine.learn.precision import explain
from engine.learn.precision.arithmetic import Arithmetic
from engine.learn.precision.health import Health
from engine.learn.precision.ladder import Ladder
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.pace import FixedPace, Pace
from engine.learn.precision.recovery import from_json, to_json
from engine.learn.precision.samples import Loss, Samples
from engine.learn.precision.signals import Fault, LossWindow, Reading, Signals
from engine.learn.precision.snapshots import SnapshotRing, Training, Whole
from engine.learn.precision.tracer import GO, Tracer, Verdict
from engine.learn.precision.weights import raise_weights

SCALED_EVERY = 16
RATES_KEPT = 64
FIXED_SNAPSHOT_STEPS = 64


class PrecisionController:
    """The precision of a training; see the module's text.

    Parameters
    ----------
    ladder
        The rungs that may be used, from the fastest to the safest.
    start
        The rung to begin with.
    decide
        Says what was decided: ``ctx.decide``.
    anywhere
        True when a claim holds in any process, where several train together. All of them then decide alike, and
        nothing follows from a clock.

    Attributes
    ----------
    watches
        True when this step's norm of the gradient is wanted.

    Examples
    --------
    >>> from engine.compute.rungs import RUNGS
    >>> cpu, fp32 = torch.device("cpu"), RUNGS["fp32"]
    >>> controller = PrecisionController([fp32], fp32, cpu, decide=lambda *_, **__: None)
    >>> controller.begin(0), controller.rung.name, controller.rate(0, 1.0)
    (True, 'fp32', 1.0)
    """

    def __init__(
        self,
        ladder: Sequence[Rung],
        start: Rung,
        device: torch.device,
        *,
        options: PrecisionOptions | None = None,
        decide: explain.Decide,
        anywhere: Callable[[bool], bool] | None = None,
    ) -> None:
        self.options = options or PrecisionOptions()
        if anywhere is not None:
            self.options = replace(self.options, least_snapshot_steps=FIXED_SNAPSHOT_STEPS)
        self.device = device
        self.watches = False
        self._decide = decide
        self._ladder = Ladder(ladder, start, self.options.most_switches, decide)
        self._arithmetic = Arithmetic(device, self.options)
        self._signals, self._window = Signals(), LossWindow(self.options)
        self._tracer = Tracer(self.options, self._window, decide)
        self._anywhere = anywhere
        self._pace = Pace() if anywhere is None else FixedPace()
        self._ring: SnapshotRing | None = None
        self._samples: Samples | None = None
        self._health: Health | None = None
        self._optimizer: Optimizer | None = None
        self._overflows = 0
        self._rates: deque[tuple[int, float]] = deque(maxlen=RATES_KEPT)
        self._first: tuple[int, Tensor] | None = None
        self._is_first = True
        self._norm_began = 0.0

    # ---------------------------------------------------------------- what a step asks

    @property
    def rung(self) -> Rung:
        """What is computed in."""
        return self._ladder.rung

    def rate(self, number: int, wanted: float) -> float:
        """The learning rate of a step: what the schedule wants, or what faults have left of it."""
        self._rates.append((number, wanted))
        return self._ladder.rate(wanted)

    def begin(self, number: int) -> bool:
        """Prepare a step; False: its batch is left out."""
        self._ladder.back(number)
        goes = True
        for order in self._tracer.orders:
            if order.kind == "skip":
                goes = goes and not order.number <= number < order.number + order.steps
            elif order.number == number:
                self._ladder.obey(order)
        self.watches = self.rung.scaled or self._tracer.incident is not None or number % self._pace.norm_every == 0
        return goes

    def look(self, number: int, inputs: Tensor, targets: Tensor) -> None:
        """See a batch before its step: for the diagnosis of a step that is known to fail, and for samples."""
        if self._is_first:
            self._first = (number, inputs)
        incident = self._tracer.incident
        if incident is not None and incident.phase == "reproduce" and number == incident.fault.number:
            incident.finding = None if self._health is None else self._health.finding(inputs, self.autocast)
        if self._samples is not None and self._samples.due(number):
            scale = self._arithmetic.scale(self.rung)
            self._samples.before(inputs, targets, self.autocast, self.rung.dtype, scale)

    def autocast(self) -> AbstractContextManager[None]:
        """Where the network runs forward."""
        return self._arithmetic.autocast(self.rung)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss.

        Raises
        ------
        UserError
            When the very first loss is not a finite number and nothing may be tried against it; names the layer.
        """
        if self._is_first:
            self._check_first(loss)
        self._arithmetic.backward(loss, self.rung)

    def unscale(self, optimizer: Optimizer) -> None:
        """Gradients in their own size, to clip and to measure."""
        self._arithmetic.unscale(optimizer, self.rung)
        self._norm_began = self._pace.now()

    def apply(self, optimizer: Optimizer) -> None:
        """One step of the optimiser; on fp16 none when the gradients overflowed."""
        if self._norm_began:
            self._pace.measured_norm(self._pace.now() - self._norm_began)
            self._norm_began = 0.0
        self._optimizer = optimizer
        self._arithmetic.apply(optimizer, self.rung)
        if self._samples is not None and self._samples.fresh:
            self._samples.after()

    def observe(self, number: int, loss: Tensor, norm: Tensor | None) -> None:
        """Hear how a step went; nothing is read yet."""
        self._signals.add(number, loss, norm)

    # ---------------------------------------------------------------- what the loop asks

    def watch(self, training: Training, module: nn.Module, loss: Loss, step: int) -> None:
        """Begin to watch over a training that has done ``step`` steps: new, or out of a checkpoint."""
        self._health = Health(module, self._anywhere)
        if self.options.sampled:
            self._samples = Samples(module, loss, self.options)
        if self.options.recover:
            self._ring = SnapshotRing(
                Whole(training, self.passing, self._put_passing_back, self._arithmetic.scaler), self.options
            )
            self._ring.capture(step, 0.0)
        self._pace.begin(step)

    @property
    def calm(self) -> bool:
        """False while something may still be put back: no checkpoint now."""
        return self._tracer.incident is None and self._window.calm

    def due(self, step: int) -> bool:
        """True when it is time to read the signals."""
        if self._tracer.incident is not None or (self._samples is not None and self._samples.fresh):
            return True
        if self._ring is not None and self._health is not None and (self._ring.due(step) or self._health.is_time(step)):
            return True
        return step % (SCALED_EVERY if self.rung.scaled else self._pace.read_every) == 0

    def verdict(self, step: int, over: bool = False) -> Verdict:
        """Read the signals of the steps since the last time, and act on them.

        Parameters
        ----------
        step
            Steps done.
        over
            True before a checkpoint and at the end of an epoch: looks at the weights too, which a last step may have
            ruined with no loss to show it.
        """
        started = self._pace.now()
        if self._optimizer is not None:
            self._tracer.learning_rate = float(self._optimizer.param_groups[0]["lr"])
        found = self._read(step, over)
        if found is None and over and self.calm and not self._is_sound():
            found = self._tracer.open(Fault("gradient", step - 1, math.nan), self.rung.name)
        if found is not None:
            return self._follow(found, step)
        self._tracer.settle(step)
        switched = self._tracer.incident is None and self._switch(step)
        if self._ring is not None and self.calm and self._ring.due(step) and self._is_sound():
            self._ring.capture(step, self._pace.step_s)
            oldest = self._ring.oldest.step
            self._tracer.forget(oldest)
        self._pace.looked(step, started)
        return Verdict("switch", step) if switched else GO

    def retreat(self) -> bool:
        """Put the training back to where it was sound, when a fault is being traced; True when it was put back.

        For a run that must stop now: the next one finds the fault again and traces it in the same way.
        """
        if self.calm or self._ring is None:
            return False
        self._tracer.abandon()
        self._ring.restore(self._ring.newest() or self._ring.oldest)
        self._signals.clear()
        return True

    def finish(self, step: int) -> None:
        """The training is over: what was being tried has held to the end."""
        self._tracer.settle(step, over=True)

    def _readings(self, step: int, over: bool) -> list[Reading]:
        readings = self._signals.read()
        timely = self._health is not None and self._health.is_time(step)
        # a snapshot must not hold statistics that are ruined already
        snapshot = self._ring is not None and self._ring.due(step)
        wanted = timely or snapshot or over or self._tracer.incident is not None
        if readings and wanted and self._ring is not None and self._health is not None:
            readings[-1] = replace(readings[-1], held=self._health.largest_statistic(), marks=timely)
        return readings

    def _read(self, step: int, over: bool) -> Verdict | None:
        for reading in self._readings(step, over):
            if self._tracer.incident is not None:
                found = self._tracer.trace(reading, self.rung.scaled, self._ladder.above, dict(self._rates))
            else:
                overflowed = reading.norm is not None and not math.isfinite(reading.norm)
                self._overflows = self._overflows + 1 if overflowed else 0
                if self._is_passed_over(overflowed):
                    continue
                fault = self._window.feed(reading, self.rung.scaled)
                if fault is not None and fault.kind != "loss" and not self.options.recover:
                    continue  # a fixed precision ends a training only when it has no loss any more
                found = None if fault is None else self._tracer.open(fault, self.rung.name)
            if found is not None:
                return found
        return None

    def _is_passed_over(self, overflowed: bool) -> bool:
        """True for an overflow at fp16 that nothing but the scaler may answer, unless there are too many in a row."""
        return overflowed and self.rung.scaled and not self.options.recover and self._overflows < self.options.overflows

    def _follow(self, found: Verdict, step: int) -> Verdict:
        if found.error is not None or self._ring is None:
            return found
        snapshot = self._ring.newest(found.step) or self._ring.oldest
        self._tracer.not_before(snapshot.step)
        incident = self._tracer.incident
        if incident is not None and incident.phase == "reproduce":
            explain.rolled_back(self._decide, incident, snapshot.step, step)
        self._ring.restore(snapshot)
        self._signals.clear()
        self._pace.begin(snapshot.step)
        return Verdict(found.kind, snapshot.step)

    def _switch(self, step: int) -> bool:
        """Change the rung when samples or the scaler ask for it."""
        above = self._ladder.above
        if self._samples is not None and self._samples.fresh:
            crossed = self._samples.read()
            if crossed is not None and crossed[0] == "update_underflow":
                self._raise_weights(step, crossed[1])
                return False
            if crossed is not None and above:
                explain.sampled(self._decide, step + 1, self.rung.name, above[0], *crossed)
                self._ladder.climb(above[0], step, self._tracer.stay)
                return True
        if self.rung.scaled and step % SCALED_EVERY == 0 and self._overflows >= self.options.overflows and above:
            scale = self._arithmetic.scale(self.rung)
            explain.overflows(self._decide, step + 1, self.rung.name, above[0], self._overflows, scale)
            self._ladder.climb(above[0], step, self._tracer.stay)
            return True
        return False

    def _raise_weights(self, step: int, share: float) -> None:
        assert self._health is not None
        assert self._samples is not None
        module = self._health.module
        low = next(weight.dtype for weight in module.parameters() if weight.dtype != torch.float32)
        explain.weights_raised(self._decide, step + 1, str(low).removeprefix("torch."), share)
        raise_weights(module, self._optimizer)
        self._samples.weights_were_raised()

    # ---------------------------------------------------------------- what is kept

    def tensors(self) -> dict[str, Tensor]:
        """Tensors for a checkpoint."""
        return self._arithmetic.scaler.tensors()

    def state_dict(self) -> dict[str, Any]:
        """JSON for a checkpoint; call it only when :attr:`calm`."""
        tracer = self._tracer
        return {**self.passing(), "orders": to_json(tracer.orders), "faults": tracer.faults, "stay": tracer.stay}

    def load_state_dict(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Go on as the training that a checkpoint is from."""
        self._put_passing_back(state)
        self._tracer.orders, self._tracer.faults = from_json(state["orders"]), list(state["faults"])
        self._tracer.stay = state["stay"]
        self._arithmetic.scaler.put_back(tensors)

    def passing(self) -> dict[str, Any]:
        """What a rollback puts back; the orders and the count of faults stay."""
        samples = self._samples.state_dict() if self._samples is not None else {"agree": 0}
        return {
            "ladder": self._ladder.state_dict(),
            "window": self._window.state_dict(),
            "samples": samples,
            "overflows": self._overflows,
            "rates": [list(pair) for pair in self._rates],
        }

    def _put_passing_back(self, state: dict[str, Any]) -> None:
        self._ladder.load_state_dict(state["ladder"])
        self._window.load_state_dict(state["window"])
        self._overflows = state["overflows"]
        self._rates = deque(((step, rate) for step, rate in state["rates"]), maxlen=RATES_KEPT)
        if self._samples is not None:
            self._samples.load_state_dict(state["samples"])

    # ---------------------------------------------------------------- details

    def _check_first(self, loss: Tensor) -> None:
        self._is_first = False
        first, self._first = self._first, None
        if first is None or self.options.recover or self._health is None:
            return
        if not self._health.holds(not bool(torch.isfinite(loss.detach()))):
            return
        finding = self._health.finding(first[1], self.autocast)
        raise explain.failed(Fault("loss", first[0], float(loss.detach())), None, finding, None, 0)

    def _is_sound(self) -> bool:
        return self._health is None or self._health.is_sound()
