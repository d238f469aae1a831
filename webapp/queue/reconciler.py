"""Moves stranded work on: runs of dead workers, waiting runs that no bell reached, waiting jobs.

Called every few seconds by the one dispatcher that holds the duty. What it does is safe to do twice.
"""

from __future__ import annotations

import logging
import time

from webapp.queue import workers
from webapp.runs import seats, transitions
from webapp.runs.clock import in_seconds, now
from webapp.runs.models import Run, Status

log = logging.getLogger(__name__)
PATIENCE_S = 5.0


class Reconciler:
    """Looks for what was left behind.

    The database may have been away: leases ran out while nobody could renew them. So leases of others are
    only ended when this reconciler itself could look for a whole lease.
    """

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._last = time.monotonic()

    def look(self) -> None:
        """One round."""
        started = time.monotonic()
        if started - self._last > 2 * PATIENCE_S:
            self._since = started
        self._last = started
        self._dead_workers()
        if started - self._since > transitions.LEASE_S:
            self._ended_leases()
        self._bells()
        seats.forget_dead()
        workers.forget_old()

    def _dead_workers(self) -> None:
        for worker in workers.dead_here():
            for run in Run.objects.filter(worker=worker, status=Status.RUNNING):
                log.warning("Worker %s is gone; run %s moves on", worker.name, run.id.hex)
                transitions.lose(run.id, run.epoch, "the worker {worker} was killed", worker=worker.name)
            workers.sign_off(worker)

    def _ended_leases(self) -> None:
        for run in Run.objects.select_related("worker").filter(status=Status.RUNNING, lease_until__lt=now()):
            name = run.worker.name if run.worker else "?"
            if transitions.lose(
                run.id, run.epoch, "the worker {worker} gave no sign of life", expired=True, worker=name
            ):
                log.warning("The lease of run %s is over; it moves on", run.id.hex)

    def _bells(self) -> None:
        from webapp.artifacts import jobs
        from webapp.celery import ring_job, ring_runs

        waiting = Run.objects.filter(status=Status.QUEUED, available__lt=in_seconds(-PATIENCE_S))
        if waiting.exists():
            ring_runs()
        for job_id in jobs.waiting_jobs():
            ring_job(job_id)
