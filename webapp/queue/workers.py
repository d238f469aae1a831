"""The rows of workers: written at their start, kept alive by heartbeats, read by the queue page.

Called by dispatchers and by the reconciler. Must not know processes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from django.db import transaction
from django.db.models import QuerySet

from webapp.queue.models import Device, Worker
from webapp.runs.clock import in_seconds, now

ONLINE_S = 20.0


class Described(Protocol):
    """A device as the machine describes it."""

    @property
    def type(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def memory_mib(self) -> int: ...


def register(
    name: str, queues: Sequence[str], devices: Sequence[Described], memory_mib: int, address: str = ""
) -> Worker:
    """A new worker and its devices."""
    with transaction.atomic():
        worker = Worker.objects.create(
            name=name[:200],
            host=host_id(),
            pid=os.getpid(),
            queues=list(queues),
            heartbeat=now(),
            memory_mib=memory_mib,
            address=address[:200],
        )
        for device in devices:
            Device.objects.create(
                worker=worker,
                type=device.type,
                index=device.index,
                name=device.name[:200],
                memory_mib=device.memory_mib,
            )
    return worker


def beat(worker: Worker) -> None:
    """The worker lives."""
    Worker.objects.filter(pk=worker.pk).update(heartbeat=now())


def sign_off(worker: Worker) -> None:
    """The worker stops in good order."""
    Worker.objects.filter(pk=worker.pk).update(stopped=True, heartbeat=now())


def online() -> QuerySet[Worker]:
    """Workers that gave a sign of life a moment ago."""
    return Worker.objects.filter(stopped=False, heartbeat__gt=in_seconds(-ONLINE_S))


def dead_here() -> list[Worker]:
    """Workers of this very machine whose process is gone: no need to wait for their leases."""
    rows = Worker.objects.filter(stopped=False, host=host_id()).exclude(pid=os.getpid())
    return [row for row in rows if not _lives(row.pid)]


def forget_old() -> None:
    """Delete workers that were not seen for a day."""
    Worker.objects.filter(heartbeat__lt=in_seconds(-24 * 3600)).delete()


def host_id() -> str:
    """Names this boot of this machine and this view of its processes: only inside it does a pid mean anything."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    try:
        return f"{socket.gethostname()} {boot.read_text().strip()} {namespace.readlink()}"[:200]
    except OSError:
        return f"{socket.gethostname()} {os.getpid()}"[:200]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
