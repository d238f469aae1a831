"""The heart of a worker: takes waiting runs for free devices, keeps their leases, passes on what people want.

Started and stopped by :mod:`webapp.celery`; one thread for itself and one for each attempt. It looks when the bell
rings and every two seconds anyway, so a lost bell or a dead broker costs at most that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psutil
from django.db import InterfaceError, OperationalError, connection

from webapp.queue import duty, housekeeping, workers
from webapp.queue.models import Device
from webapp.queue.reconciler import Reconciler
from webapp.runs import transitions
from webapp.runs.clock import now
from webapp.runs.models import Run, Status
from webapp.supervisor.attempt import AttemptRunner
from webapp.supervisor.devices import LocalDevice, find_devices, node_address
from webapp.supervisor.gathering import Gathering
from webapp.supervisor.team import Team

log = logging.getLogger(__name__)
LOOK_S = 2.0
FLAGS_S = 1.0
HEARTBEAT_S = 5.0
STOP_TIMEOUT_S = 13.0
SHARERS = 4
DUTY = "reconcile"


@dataclass
class Place:
    """A device and the attempts on it."""

    local: LocalDevice
    row: Device
    attempts: dict[UUID, AttemptRunner] = field(default_factory=dict)
    shared: bool = False
    held: UUID | None = None
    """The run on several machines that waits for more of them, or that this machine takes part in."""

    @property
    def is_free(self) -> bool:
        """True when nobody has it."""
        return not self.attempts and self.held is None

    def has_room(self, shares: bool) -> bool:
        """True when a run fits: alone, or beside others that all share."""
        if self.held is not None:
            return False
        return not self.attempts or (shares and self.shared and len(self.attempts) < SHARERS)


class Dispatcher:
    """One worker's runs."""

    def __init__(self, name: str, queues: Sequence[str], devices: Sequence[LocalDevice] | None = None) -> None:
        local = list(find_devices(list(queues)) if devices is None else devices)
        memory_mib = psutil.virtual_memory().total // 2**20
        self.worker = workers.register(name, queues, local, memory_mib, node_address())
        rows = {(row.type, row.index): row for row in self.worker.devices.all()}
        self._places = [Place(device, rows[device.type, device.index]) for device in local]
        self._gathering = Gathering(self.worker, self._places, self._begin, self._next_number)
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._reconciler = Reconciler()
        self._next = {"tidy": time.monotonic() + housekeeping.FIRST_AFTER_S}
        self._numbers = 0
        self._has_left = False
        self._thread = threading.Thread(target=self._live, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin to take runs."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._bell.set()

    def stop_soon(self) -> None:
        """Take no more runs and ask those that are on to save and leave. Safe in a signal handler."""
        self._stopping.set()
        self._bell.set()

    def stop(self) -> None:
        """Stop, and wait until every attempt has given its run back."""
        self.stop_soon()
        self._thread.join(STOP_TIMEOUT_S)

    def attempts(self) -> list[AttemptRunner]:
        """The attempts that are on now."""
        with self._lock:
            found = {id(attempt): attempt for place in self._places for attempt in place.attempts.values()}
        return list(found.values())

    def _live(self) -> None:
        deadline = 0.0
        while True:
            if self._stopping.is_set():
                deadline = deadline or time.monotonic() + STOP_TIMEOUT_S
                for attempt in self.attempts():
                    attempt.stopping.set()
                self._guarded(self._stop_gathering)
                if (not self.attempts() and self._has_left) or time.monotonic() > deadline:
                    break
            self._round()
            self._bell.wait(0.1 if self._stopping.is_set() else FLAGS_S if self.attempts() else LOOK_S)
            self._bell.clear()
        self._guarded(lambda: duty.lay_down(DUTY, self.worker.id))
        self._guarded(lambda: workers.sign_off(self.worker))
        connection.close()

    def _round(self) -> None:
        self._every("heartbeat", HEARTBEAT_S, self._keep_leases)
        if not self._stopping.is_set():
            self._every("reconcile", HEARTBEAT_S, self._reconcile)
            self._every("take", 0.0, self._take_runs)
            self._every("tidy", housekeeping.EVERY_S, self._tidy)
        self._every("flags", FLAGS_S, self._read_flags)
        self._every("gather", FLAGS_S, lambda: self._gathering.look(self.attempts()))

    def _stop_gathering(self) -> None:
        self._has_left = self._gathering.stop()

    def _every(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        """Do something when it is due; a failure of one task holds up no other."""
        if time.monotonic() >= self._next.get(name, 0.0):
            self._next[name] = time.monotonic() + seconds
            self._guarded(work)

    def _guarded(self, work: Callable[[], None]) -> None:
        """A dispatcher outlives its database and its own mistakes."""
        try:
            work()
        except (OperationalError, InterfaceError) as error:
            log.warning("The database does not answer: %s", error)
            connection.close()
        except Exception:
            log.exception("A task of the dispatcher failed")
            connection.close()

    def _keep_leases(self) -> None:
        workers.beat(self.worker)
        attempts = self.attempts()
        held = transitions.renew(self.worker, [(a.run_id, a.epoch) for a in attempts])
        for attempt in attempts:
            # An attempt that just stored its last event has no lease and needs none.
            if attempt.run_id not in held and not self._has_ended(attempt):
                attempt.fenced.set()

    def _has_ended(self, attempt: AttemptRunner) -> bool:
        run = Run.objects.only("status", "epoch").filter(pk=attempt.run_id).first()
        return run is not None and run.epoch == attempt.epoch and run.status != Status.RUNNING

    def _reconcile(self) -> None:
        if duty.take(DUTY, self.worker.id):
            self._reconciler.look()

    def _tidy(self) -> None:
        if duty.take(DUTY, self.worker.id):
            threading.Thread(target=housekeeping.tidy, name="housekeeping", daemon=True).start()

    def _read_flags(self) -> None:
        attempts = {attempt.run_id: attempt for attempt in self.attempts()}
        if not attempts:
            return
        wanted = Run.objects.filter(pk__in=list(attempts), cancel_requested__isnull=False)
        for run_id in wanted.values_list("pk", flat=True):
            attempts[run_id].cancelled.set()
        present = set(Run.objects.filter(pk__in=list(attempts)).values_list("pk", flat=True))
        for run_id in attempts.keys() - present:
            attempts[run_id].fenced.set()  # deleted

    def _take_runs(self) -> None:
        for queue, type_ in (("gpu", "cuda"), ("cpu", "cpu")):
            places = [place for place in self._places if place.local.type == type_]
            if any(place.has_room(True) or place.held is not None for place in places):
                self._take_from(queue, places)

    def _take_from(self, queue: str, places: list[Place]) -> None:
        rows = Run.objects.filter(
            status=Status.QUEUED, queue=queue, available__lte=now(), cancel_requested__isnull=True
        ).order_by("created")
        mine = {attempt.run_id for attempt in self.attempts()}
        for run_id, shares, nodes, devices in rows.values_list("pk", "shares_device", "nodes", "devices")[:50]:
            if nodes * devices > 1:
                if run_id not in mine and self._gathering.consider(run_id, nodes, devices, places):
                    return
                continue
            place = next((place for place in places if place.has_room(shares)), None)
            if run_id in mine or place is None:
                continue
            epoch = transitions.claim(run_id, self.worker, place.row)
            if epoch is not None:
                self._begin([place], run_id, epoch, shares, None)

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _begin(self, places: Sequence[Place], run_id: UUID, epoch: int, shares: bool, team: Team | None) -> None:
        attempt = AttemptRunner(run_id, epoch, [place.local for place in places], self._next_number(), team)
        with self._lock:
            for place in places:
                place.attempts[run_id] = attempt
                place.shared, place.held = shares, None

        def carry_out() -> None:
            try:
                attempt.run()
            finally:
                if len(places) > 1 or team is not None:
                    self._guarded(lambda: self._gathering.left(run_id))
                    connection.close()
                with self._lock:
                    for place in places:
                        del place.attempts[run_id]
                self._bell.set()

        threading.Thread(target=carry_out, name=f"run-{run_id.hex[:8]}", daemon=True).start()


_current: Dispatcher | None = None


def start(name: str, queues: Sequence[str]) -> None:
    """Start this process's dispatcher, as soon as the database answers."""
    threading.Thread(target=_start_when_possible, args=(name, queues), name="dispatcher-start", daemon=True).start()


def current() -> Dispatcher | None:
    """The dispatcher of this process, once it is started."""
    return _current


def _start_when_possible(name: str, queues: Sequence[str]) -> None:
    global _current
    while _current is None:
        try:
            dispatcher = Dispatcher(name, queues)
        except (OperationalError, InterfaceError) as error:
            log.warning("The database does not answer yet: %s", error)
            time.sleep(LOOK_S)
            continue
        finally:
            connection.close()
        _current = dispatcher
        dispatcher.start()
