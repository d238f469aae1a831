"""Devices that a run holds beside its own: those of one machine, or one set on each of several machines.

Called by dispatchers. A run that needs several machines waits until so many workers hold seats for it: each worker
offers devices of its own that are free, and the one that offered first takes the run when enough have. Then every seat
carries the number of its machine and the epoch of the attempt; it is worth nothing once the run has left that attempt.
A device is in one seat at most, by the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from webapp.queue import workers
from webapp.queue.models import Device, Worker
from webapp.runs import transitions
from webapp.runs.models import Run, Seat, Status


def offer(run_id: UUID, worker: Worker, devices: Sequence[Device]) -> bool:
    """Hold free devices of a worker for a run; False when one is held already."""
    try:
        with transaction.atomic():
            for device in devices:
                Seat.objects.create(run_id=run_id, worker=worker, device=device)
    except IntegrityError:
        return False
    return True


def complete(run: Run, worker: Worker) -> list[UUID] | None:
    """The workers that carry out a run, in the order of their machines, when this one is to begin it."""
    able = workers.online().exclude(address="").values_list("pk", flat=True)
    offered = Seat.objects.filter(run=run, epoch=0, worker__in=list(able)).order_by("pk")
    order = list(dict.fromkeys(offered.values_list("worker_id", flat=True)))
    return order[: run.nodes] if len(order) >= run.nodes and order[0] == worker.pk else None


def begin(run_id: UUID, worker: Worker, devices: Sequence[Device], order: Sequence[UUID], endpoint: str) -> int | None:
    """Take a run together with all its seats, in one transaction.

    Parameters
    ----------
    devices
        Of this worker; the first becomes the run's own.
    order
        The workers of all machines; this one is the first.
    endpoint
        Where the machines meet.

    Returns the epoch, or None when somebody else was faster.
    """
    with transaction.atomic():
        epoch = transitions.claim(run_id, worker, devices[0])
        if epoch is None:
            return None
        if len(order) == 1 and not offer(run_id, worker, devices):
            transaction.set_rollback(True)
            return None
        for node, worker_id in enumerate(order):
            seats = Seat.objects.filter(run_id=run_id, worker_id=worker_id)
            seats.update(node=node, epoch=epoch, endpoint=endpoint)
        Seat.objects.filter(run_id=run_id, epoch=0).delete()
    return epoch


def leave(run_id: UUID, worker: Worker) -> None:
    """Give a worker's devices back."""
    Seat.objects.filter(run_id=run_id, worker=worker).delete()


def held(worker: Worker) -> list[Seat]:
    """The seats of a worker, with their runs."""
    return list(Seat.objects.filter(worker=worker).select_related("run", "device").order_by("pk"))


def is_current(seat: Seat) -> bool:
    """True while the run waits for more seats, or is in the attempt that this seat is part of."""
    if seat.epoch == 0:
        return seat.run.status == Status.QUEUED
    return seat.run.status == Status.RUNNING and seat.run.epoch == seat.epoch


def machines(run_id: UUID, epoch: int) -> int:
    """How many machines of an attempt are there: their workers give signs of life and hold their seats."""
    seats = Seat.objects.filter(run_id=run_id, epoch=epoch, worker__in=workers.online())
    return seats.values("node").distinct().count()


def forget_dead() -> None:
    """Free what dead workers held."""
    Seat.objects.exclude(worker__in=workers.online()).delete()
