"""The queue page: who runs what on which device, who waits, and which workers there are."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from webapp.api.schemas import hex_of, moment
from webapp.queue import workers
from webapp.queue.models import Worker
from webapp.runs.models import Run, Seat, Status


def queue_json(workspace_id: UUID) -> dict[str, Any]:
    """The queue as a member of one workspace sees it: runs of others count for positions but stay nameless."""
    rows = Run.objects.filter(status__in=[Status.QUEUED, Status.RUNNING]).select_related(
        "project", "user", "device", "worker"
    )
    running: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    positions: Counter[str] = Counter()
    for run in rows.order_by("created"):
        mine = run.project.workspace_id == workspace_id
        if run.status == Status.QUEUED:
            positions[run.queue] += 1
            if mine:
                waiting.append({**_line(run), "position": positions[run.queue]})
        elif mine:
            running.append(_line(run))
    return {"running": running, "waiting": waiting, "workers": workers_json(workspace_id)}


def workers_json(workspace_id: UUID) -> list[dict[str, Any]]:
    """Every worker that is online or was a moment ago, with its devices."""
    alive = set(workers.online().values_list("pk", flat=True))
    rows = Worker.objects.filter(pk__in=alive).prefetch_related("devices")
    held: dict[int, Run] = {
        run.device_id: run
        for run in Run.objects.filter(status=Status.RUNNING, device__isnull=False).select_related("project")
        if run.device_id is not None
    }
    held |= {seat.device_id: seat.run for seat in Seat.objects.select_related("run__project")}
    return [
        {
            "id": row.id.hex,
            "name": row.name,
            "online": row.pk in alive,
            "queues": row.queues,
            "devices": [
                {
                    "index": device.index,
                    "type": device.type,
                    "name": device.name,
                    "memory_mib": device.memory_mib,
                    "busy": device.pk in held,
                    "run": _visible(held.get(device.pk), workspace_id),
                }
                for device in row.devices.all()
            ],
        }
        for row in rows
    ]


def _visible(run: Run | None, workspace_id: UUID) -> str | None:
    return run.id.hex if run is not None and run.project.workspace_id == workspace_id else None


def _line(run: Run) -> dict[str, Any]:
    return {
        "id": run.id.hex,
        "name": run.name,
        "number": run.number,
        "status": run.status,
        "queue": run.queue,
        "project": {"id": hex_of(run.project_id), "name": run.project.name},
        "user": None if run.user is None else {"id": run.user.id.hex, "name": run.user.name or run.user.email},
        "created": moment(run.created),
        "started": moment(run.started),
        "device": None if run.device is None else f"{run.device} {run.device.name}".strip(),
        "worker": None if run.worker is None else run.worker.name,
        "cancel_requested": run.cancel_requested is not None,
    }
