"""What the controller says: each decision and each failure in words.

Called by the controller and the tracer. One function for each thing that can happen, so that every template stands in
one place; steps are counted from 1 here, as people and curves do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engine.errors import UserError
from engine.learn.precision.diagnosis import Finding
from engine.learn.precision.recovery import Cause, Incident
from engine.learn.precision.signals import Fault


class Decide(Protocol):
    """``decide`` of a run's context."""

    def __call__(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """Say what was decided."""


def number(value: float | None) -> float | str | None:
    """A number as JSON can carry it.

    >>> number(float("nan")), number(1.23456789)
    ('nan', 1.235)
    """
    if value is None:
        return None
    rounded = float(f"{value:.4g}")
    return rounded if abs(rounded) < float("inf") else str(value)


def rolled_back(decide: Decide, incident: Incident, to_step: int, latest: int) -> None:
    """A fault was seen, and the same batches are about to be replayed."""
    fault = incident.fault
    evidence = {
        "fault": fault.kind, "loss": number(fault.loss), "limit": number(fault.limit), "rung": incident.rung,
        "last good loss": number(incident.last_good), "snapshot": to_step, "seen after step": latest,
    }  # fmt: skip
    templates = {
        "loss": "The loss became {loss} at step {at}: going back to step {snapshot} to find the cause",
        "gradient": "The gradient of step {at} is not finite: going back to step {snapshot} to find the cause",
        "statistics": "Running statistics jumped by step {at}: going back to step {snapshot} to find the cause",
        "spike": "The loss rose to {loss} at step {at}: going back to step {snapshot} to find the cause",
    }
    decide(
        "attribution", fault.number + 1, templates[fault.kind], evidence,
        loss=str(number(fault.loss)), at=fault.number + 1, snapshot=to_step,
    )  # fmt: skip


def attributed(decide: Decide, incident: Incident, cause: Cause, tried: int) -> None:
    """The replay told where a fault came from, and what was done about it."""
    order = incident.trying
    evidence: dict[str, Any] = {
        "cause": cause, "fault": incident.fault.kind, "loss": number(incident.fault.loss), "rung": incident.rung,
        "loss after": number(incident.loss_in_trial), "replays": tried, **_where(incident.finding),
    }  # fmt: skip
    step = incident.number + 1
    if cause == "passing" or order is None:
        template = "The fault at step {at} did not come back when the same batches were replayed: going on"
        decide("attribution", step, template, evidence, cause=cause, at=step)
    elif cause == "unknown":
        template = (
            "The fault at step {at} stays at a higher precision, without its batches and with a lower learning rate: "
            "going on as it is"
        )
        decide("attribution", step, template, evidence, cause=cause, at=step)
    elif cause == "numeric":
        template = "Precision: the batch that fails at {from} is good at {to}: staying at {to} for {steps} steps"
        decide("precision", step, template, evidence, steps=order.steps, **_way(incident.rung, order.rung))
    elif cause == "data":
        template = "Data: the batch of step {at} fails at every precision, those after it do not: it is left out"
        if order.steps > 1:
            template = "Data: {count} batches from step {at} on fail at every precision: they are left out"
            evidence["batches"] = order.steps
        if incident.finding is not None and incident.finding.where == "inputs":
            template = "Data: the batch of step {at} holds numbers that are not finite: it is left out"
        decide("attribution", step, template, evidence, cause=cause, at=step, count=order.steps)
    else:
        evidence |= {"rate": number(order.rate), "from step": order.number + 1}
        template = "Learning rate: with at most {rate} from step {start} on the same batches are good"
        decide("attribution", step, template, evidence, cause=cause, rate=number(order.rate), start=order.number + 1)


def _where(finding: Finding | None) -> dict[str, Any]:
    return (
        {}
        if finding is None or finding.where == "loss"
        else {"first not finite in": finding.where, "layer": finding.layer or None}
    )


def _way(low: str, high: str) -> dict[str, str]:
    return {"from": low, "to": high}


def started(decide: Decide, rung: str, ladder: Sequence[str]) -> None:
    """A training begins on a rung."""
    others = [name for name in ladder if name != rung]
    evidence = {"safer": ", ".join(others)} if others else {}
    decide("precision", 0, "Computing in {to}", evidence, to=rung)


def back_down(decide: Decide, step: int, low: str, high: str, steps: int) -> None:
    """The lower rung is tried again."""
    template = "Back to {to} after {steps} good steps"
    decide("precision", step, template, {"steps": steps}, steps=steps, **_way(high, low))


def rate_back(decide: Decide, step: int, rate: float) -> None:
    """The learning rate goes back up."""
    template = "The learning rate may be up to {rate} again"
    decide("attribution", step, template, {"rate": number(rate)}, rate=number(rate))


def overflows(decide: Decide, step: int, low: str, high: str, count: int, scale: float) -> None:
    """The gradients of fp16 overflow whatever the scale."""
    template = "{count} overflows in a row at {from}, with a loss scale of {scale}: going up to {to}"
    evidence = {"overflows": count, "loss scale": scale}
    decide("precision", step, template, evidence, count=count, scale=scale, **_way(low, high))


def sampled(decide: Decide, step: int, low: str, high: str, name: str, value: float, limit: float) -> None:
    """A shadow pass in fp32 gave another gradient."""
    templates = {
        "cosine": "The gradient at {from} points elsewhere than in fp32 (cosine {value}): going up to {to}",
        "error": "The gradient at {from} is more noise than signal (relative error {value}): going up to {to}",
        "underflow": "Of the gradient at {from}, {value} is too small for it: going up to {to}",
    }
    evidence = {"signal": name, "value": number(value), "limit": limit}
    decide("precision", step, templates[name], evidence, value=number(value), **_way(low, high))


def weights_raised(decide: Decide, step: int, dtype: str, share: float | None) -> None:
    """Weights of a lower precision are held in fp32 from here on."""
    if share is None:
        template = "The weights come in {dtype}: they are trained in fp32"
        decide("precision", step, template, {"weights": dtype}, dtype=dtype)
        return
    template = "Of the updates, {share} are lost in {dtype} weights: they are held in fp32 from here on"
    decide("precision", step, template, {"weights": dtype, "lost": number(share)}, dtype=dtype, share=number(share))


def failed(fault: Fault, last_good: float | None, finding: Finding | None, rate: float | None, tried: int) -> UserError:
    """The error that ends a training that cannot go on."""
    step, layer = fault.number + 1, finding.layer if finding is not None else ""
    values: dict[str, Any] = {"loss": str(number(fault.loss)), "step": step}
    if last_good is not None:
        values["last_good"] = f"{last_good:.4g}"
    if layer:
        values["layer"] = layer
    return UserError(_message(fault, last_good is None, bool(layer)), hint=_hint(values, finding, rate, tried),
                     field="learning_rate", **values)  # fmt: skip


def _message(fault: Fault, first: bool, layer: bool) -> str:
    if first:
        if layer:
            return (
                "The loss is {loss} at step {step}, the first one: layer {layer} puts out numbers that are not finite"
            )
        return "The loss is {loss} at step {step}, the first one"
    if fault.kind == "spike":
        return "The loss rose to {loss} at step {step} and stayed there; the last good loss was {last_good}"
    if fault.kind == "statistics":
        return "Running statistics jumped at step {step}; the last good loss was {last_good}"
    if fault.kind == "gradient":
        return "The gradient is not finite at step {step}; the last good loss was {last_good}"
    if layer:
        return "The loss became {loss} at step {step}, first in layer {layer}; the last good loss was {last_good}"
    return "The loss became {loss} at step {step}; the last good loss was {last_good}"


def _hint(values: dict[str, Any], finding: Finding | None, rate: float | None, tried: int) -> str:
    if finding is not None and finding.where == "inputs":
        return "The examples hold numbers that are not finite: look for missing values in the data."
    if "last_good" not in values:
        return "Look for missing or very large numbers in the data, or lower the learning rate."
    if rate is not None:
        values |= {"learning_rate": f"{rate:.3g}", "lower": f"{rate / 10:.1g}"}
    if tried and rate is not None:
        values["tried"] = tried
        return (
            "A higher precision, leaving batches out and a lower learning rate were tried ({tried} replays) and did "
            "not help. Lower the learning rate (it was {learning_rate}, try {lower}), or clip the gradient."
        )
    return "Lower the learning rate (it was {learning_rate}, try {lower}), or clip the gradient."
