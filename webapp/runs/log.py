"""Appends to a run's event log: numbered without gaps, refused for whoever lost the run.

Called by the transitions and by the recorder, inside their transactions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F

from webapp.runs.models import Run, RunEvent, Status

INSERT_ROWS = 400


class Fenced(Exception):
    """The run belongs to somebody else now; the caller must stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, ready to be stored."""

    kind: str
    payload: str
    metric: str | None = None
    first: int | None = None


def entry(event: dict[str, Any]) -> Entry:
    """An event of the supervisor's own."""
    return Entry(event["type"], json.dumps(event, separators=(",", ":")))


def append(run_id: UUID, epoch: int, entries: Sequence[Entry], *, running: bool = True) -> int:
    """Store events; returns the head before them. Call inside a transaction.

    The UPDATE takes the row lock of the run, so numbers are given in the order of the commits; it changes
    nothing for an attempt that is not the current one.

    Raises
    ------
    Fenced
        When the run has another epoch, or is not running although ``running`` says so.
    """
    rows = Run.objects.filter(pk=run_id, epoch=epoch)
    if running:
        rows = rows.filter(status=Status.RUNNING)
    if not rows.update(head=F("head") + len(entries)):
        raise Fenced(str(run_id))
    head: int = Run.objects.values_list("head", flat=True).get(pk=run_id) - len(entries)
    RunEvent.objects.bulk_create(_rows(run_id, epoch, head, entries), batch_size=INSERT_ROWS)
    return head


def _rows(run_id: UUID, epoch: int, head: int, entries: Iterable[Entry]) -> list[RunEvent]:
    return [
        RunEvent(
            run_id=run_id,
            seq=seq,
            epoch=epoch,
            kind=item.kind,
            payload=item.payload,
            metric=item.metric,
            first=item.first,
        )
        for seq, item in enumerate(entries, start=head + 1)
    ]
