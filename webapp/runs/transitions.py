"""Every change of a run's status, each one conditional UPDATE: whoever changes 0 rows was too late.

    queued -> running        claim      (a worker takes it)
    running -> queued        give_back  (the worker stops in good order), lose (it died, or its process did)
    running -> ended         finish     (its last event), lose for the third time
    queued -> cancelled      cancel

Called by the API, dispatchers, recorders and the reconciler. Must not know processes or sockets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from webapp.live.bell import ring_after_commit
from webapp.queue.models import Device, Worker
from webapp.runs.clock import in_seconds, now
from webapp.runs.log import append, entry
from webapp.runs.models import ENDED, Attempt, BlockState, Run, Status
from webapp.runs.projection import Projection

LEASE_S = 20.0
MAX_LOST = 3


def claim(run_id: UUID, worker: Worker, device: Device) -> int | None:
    """Take a waiting run.

    1. One UPDATE moves it from queued to running, gives it the next epoch and a lease.
    2. An attempt is noted and told to the log.

    Returns the epoch, or None when somebody else took it or the device is held.
    """
    try:
        with transaction.atomic():
            taken = Run.objects.filter(
                pk=run_id, status=Status.QUEUED, available__lte=now(), cancel_requested__isnull=True
            ).update(
                status=Status.RUNNING,
                epoch=F("epoch") + 1,
                lease_until=in_seconds(LEASE_S),
                started=Coalesce("started", now()),
                worker=worker,
                device=device,
            )
            if not taken:
                return None
            epoch: int = Run.objects.values_list("epoch", flat=True).get(pk=run_id)
            name = f"{device} {device.name}".strip()
            Attempt.objects.create(run_id=run_id, number=epoch, worker=worker, device=name[:200], started=now())
            event = {
                "type": "attempt_started",
                "t": time.time(),
                "attempt": epoch,
                "worker": worker.name,
                "device": name,
            }
            append(run_id, epoch, [entry(event)])
            ring_after_commit(run_id)
    except IntegrityError:
        return None
    return epoch


def renew(worker: Worker, runs: Iterable[tuple[UUID, int]]) -> set[UUID]:
    """Prolong the leases of a worker's runs; returns those it still holds."""
    held = set()
    for run_id, epoch in runs:
        if Run.objects.filter(pk=run_id, epoch=epoch, status=Status.RUNNING, worker=worker).update(
            lease_until=in_seconds(LEASE_S)
        ):
            held.add(run_id)
    return held


@dataclass(frozen=True)
class Reason:
    """Why an attempt ended, as template and values."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The reason in English."""
        return self.template.format_map(self.values)[:400]


def give_back(run_id: UUID, epoch: int) -> bool:
    """Return a run to the queue because its worker stops; it counts as no failure."""
    reason = Reason("the worker stopped in good order")
    return _leave(run_id, epoch, reason, Attempt.Outcome.RETURNED, delay_s=0.0, counts=False)


def lose(
    run_id: UUID, epoch: int, template: str, *, delay_s: float = 0.0, expired: bool = False, **values: Any
) -> bool:
    """An attempt died: the run waits again, or fails when that happened three times.

    Parameters
    ----------
    template, values
        Why it died.
    expired
        Only when the lease is over by the database's clock (for a run of somebody else).
    """
    reason = Reason(template, values)
    return _leave(run_id, epoch, reason, Attempt.Outcome.LOST, delay_s=delay_s, counts=True, expired=expired)


def _leave(
    run_id: UUID,
    epoch: int,
    reason: Reason,
    outcome: Attempt.Outcome,
    *,
    delay_s: float,
    counts: bool,
    expired: bool = False,
) -> bool:
    with transaction.atomic():
        mine = Run.objects.filter(pk=run_id, epoch=epoch, status=Status.RUNNING)
        if expired:
            mine = mine.filter(lease_until__lt=now())
        left = mine.update(
            status=Status.QUEUED,
            lost=F("lost") + int(counts),
            lease_until=None,
            worker=None,
            device=None,
            available=in_seconds(delay_s),
        )
        if not left:
            return False
        _close_attempt(run_id, epoch, outcome, reason.text)
        lost = {"reason": reason.text, "template": reason.template, "values": dict(reason.values)}
        events = [{"type": "attempt_lost", "t": time.time(), "attempt": epoch, **lost}]
        run = Run.objects.only("lost", "cancel_requested").get(pk=run_id)
        if run.cancel_requested is not None:
            events.append(_end(run_id, Status.CANCELLED, None))
        elif run.lost >= MAX_LOST:
            events.append(_end(run_id, Status.FAILED, poison(run.lost, reason.text)))
        append(run_id, epoch, [entry(event) for event in events], running=False)
        _project(run_id, events)
        ring_after_commit(run_id)
    return True


def finish(run_id: UUID, epoch: int, status: str, error: dict[str, Any] | None) -> None:
    """End a run whose last event was just appended (under the same row lock)."""
    _end(run_id, Status(status), error if status == "failed" else None)
    _close_attempt(run_id, epoch, Attempt.Outcome.ENDED, status)


def cancel(run_id: UUID) -> str:
    """Ask a run to stop; one that waits ends here. Returns its status afterwards."""
    with transaction.atomic():
        if Run.objects.filter(pk=run_id, status=Status.QUEUED).update(cancel_requested=now()):
            events = [{"type": "run_cancel_requested", "t": time.time()}, _end(run_id, Status.CANCELLED, None)]
        elif Run.objects.filter(pk=run_id, status=Status.RUNNING, cancel_requested__isnull=True).update(
            cancel_requested=now()
        ):
            events = [{"type": "run_cancel_requested", "t": time.time()}]
        else:
            events = []
        run = Run.objects.only("status", "epoch").get(pk=run_id)
        if events:
            append(run_id, run.epoch, [entry(event) for event in events], running=False)
            _project(run_id, events)
            ring_after_commit(run_id)
    return run.status


def poison(times: int, reason: str) -> dict[str, Any]:
    """The error of a run that took its process down again and again."""
    template = "The run's process died {times} times; the last time: {reason}"
    hint = "Look at the log of the last block. Out of memory is the usual cause: a smaller batch or data set helps."
    return error_json(template, hint=hint, times=times, reason=reason)


def error_json(template: str, *, hint: str | None = None, kind: str = "user", **values: Any) -> dict[str, Any]:
    """An error of the studio's own, in the form that the engine's errors have."""
    return {
        "kind": kind,
        "message": template.format_map(values),
        "template": template,
        "values": values,
        "hint": hint,
        "hint_template": hint,
        "block": None,
        "field": None,
        "traceback": None,
    }


def _end(run_id: UUID, status: Status, error: dict[str, Any] | None) -> dict[str, Any]:
    """End the run; returns its last event."""
    Run.objects.filter(pk=run_id).exclude(status__in=ENDED).update(
        status=status, finished=now(), lease_until=None, error=error
    )
    run = Run.objects.only("started", "finished").get(pk=run_id)
    duration = (run.finished - run.started).total_seconds() if run.started and run.finished else 0.0
    event = {"type": "run_done", "status": status.value, "duration_s": round(duration, 3)}
    return {**event, "error": error} if error else event


def _close_attempt(run_id: UUID, epoch: int, outcome: Attempt.Outcome, reason: str) -> None:
    Attempt.objects.filter(Q(run_id=run_id, number=epoch, outcome=Attempt.Outcome.RUNNING)).update(
        ended=now(), outcome=outcome, reason=reason[:400]
    )


def _project(run_id: UUID, events: list[dict[str, Any]]) -> None:
    """Fold events that no recorder sees into the stored state of the blocks."""
    rows = {row.block: row for row in BlockState.objects.filter(run_id=run_id)}
    projection = Projection({name: row.data for name, row in rows.items()})
    for event in events:
        projection.apply(event)
    for name in projection.changed:
        rows[name].data = projection.blocks[name]
        rows[name].save(update_fields=["data"])
