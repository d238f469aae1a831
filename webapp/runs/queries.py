"""Runs as the API shows them. Called by endpoints and by sockets (for a reset)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from webapp.api.schemas import hex_of, moment
from webapp.runs.models import BlockState, Run, RunEvent, Status
from webapp.runs.projection import EMPTY

MAX_EVENTS = 2_000
MAX_EVENT_BYTES = 2**20


def summary_json(run: Run, columns: Collection[str] = ()) -> dict[str, Any]:
    """A line of the table of runs: all parameters and metrics, or those of some columns."""
    config, metrics = run.summary.config, run.summary.metrics
    if columns:
        config = {name: value for name, value in config.items() if name in columns}
        metrics = {name: value for name, value in metrics.items() if name in columns}
    return {**_common(run), "config": config, "metrics": metrics}


def run_json(run_id: UUID) -> dict[str, Any]:
    """Everything about one run.

    The head is read before the blocks, so their state may already hold what comes after it: whoever applies the
    events after ``head_seq`` arrives at the same state.
    """
    run = Run.objects.select_related("summary", "spec", "user", "device").get(pk=run_id)
    rows = list(BlockState.objects.filter(run=run).order_by("position"))
    blocks = {row.block: {**EMPTY, **row.data} for row in rows}
    metrics = {f"{name}.{key}": value for name, data in blocks.items() for key, value in data["metrics"].items()}
    return {
        **_common(run),
        "document": run.spec.document,
        "targets": run.spec.targets,
        "rerun_from": run.spec.rerun_from,
        "plan": run.plan,
        "blocks": blocks,
        "config": run.summary.config,
        "metrics": metrics,
        "head_seq": run.head,
    }


def _common(run: Run) -> dict[str, Any]:
    end = run.finished or timezone.now()
    return {
        "id": run.id.hex,
        "name": run.name,
        "number": run.number,
        "status": run.status,
        "project": hex_of(run.project_id),
        "pipeline": hex_of(run.pipeline_id),
        "created": moment(run.created),
        "started": moment(run.started),
        "finished": moment(run.finished),
        "duration_s": max(0.0, round((end - run.started).total_seconds(), 3)) if run.started else None,
        "user": None if run.user is None else {"id": run.user.id.hex, "name": run.user.name or run.user.email},
        "tags": split_tags(run.tags),
        "notes": run.notes,
        "attempt": run.epoch,
        "error": run.error,
        "device": None if run.device is None else f"{run.device} {run.device.name}".strip(),
        "cancel_requested": run.cancel_requested is not None,
        "queue_position": queue_position(run),
    }


def queue_position(run: Run) -> int | None:
    """1 for the next run of its queue; None when it does not wait."""
    if run.status != Status.QUEUED:
        return None
    earlier = Run.objects.filter(status=Status.QUEUED, queue=run.queue, created__lt=run.created)
    return earlier.count() + 1


def join_tags(tags: Iterable[str]) -> str:
    """Tags as they are kept.

    >>> join_tags(["best", "v2"]), split_tags(",best,v2,")
    (',best,v2,', ['best', 'v2'])
    """
    words = list(dict.fromkeys(word.replace(",", " ").strip() for word in tags))
    return "".join(f",{word}" for word in words if word) + "," if any(words) else ""


def split_tags(text: str) -> list[str]:
    """The inverse of :func:`join_tags`."""
    return [word for word in text.split(",") if word]


def events_text(rows: Iterable[tuple[int, str]]) -> str:
    """Stored events as the text of a JSON list, each with its ``seq``; the payloads are not read."""
    return "[" + ",".join(f'{{"seq":{seq},{payload[1:]}' for seq, payload in rows) + "]"


def read_events(run_id: UUID, after: int, limit: int, kinds: Sequence[str] = ()) -> list[tuple[int, str]]:
    """(seq, payload) of the events after a number, limited also in bytes."""
    rows = RunEvent.objects.filter(run_id=run_id, seq__gt=after)
    if kinds:
        rows = rows.filter(kind__in=kinds)
        if "metrics" not in kinds:
            rows = rows.filter(metric__isnull=True)  # these have an index of their own
    found: list[tuple[int, str]] = []
    size = 0
    for seq, payload in rows.order_by("seq").values_list("seq", "payload")[: min(limit, MAX_EVENTS)].iterator():
        size += len(payload)
        if found and size > MAX_EVENT_BYTES:
            break
        found.append((seq, payload))
    return found
