"""Runs that need more than one device: several places of this worker, or seats on several workers.

Called by the dispatcher, on its thread only, so nobody else gives places away meanwhile. A run on one machine waits
until enough of its places are free; younger runs wait with it, so that it is not passed by for ever. A run on several
machines is offered places of this worker as soon as they are free, and they are held until it ends, is cancelled, or
could not gather; see :mod:`webapp.runs.seats`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from webapp.queue import workers
from webapp.queue.models import Worker
from webapp.runs import seats
from webapp.runs.models import Run, Seat
from webapp.supervisor.attempt import AttemptRunner
from webapp.supervisor.member import MemberRunner
from webapp.supervisor.team import Team, free_endpoint

if TYPE_CHECKING:
    from webapp.supervisor.dispatcher import Place

log = logging.getLogger(__name__)
Begin = Callable[[Sequence["Place"], UUID, int, bool, Team | None], None]


class Gathering:
    """One worker's part in runs that need more than one device.

    Parameters
    ----------
    begin
        Starts an attempt on places.
    next_number
        Tells processes of this worker apart.
    """

    def __init__(self, worker: Worker, places: Sequence[Place], begin: Begin, next_number: Callable[[], int]) -> None:
        self._worker, self._places, self._begin, self._next_number = worker, places, begin, next_number
        self._members: dict[UUID, MemberRunner] = {}

    def consider(self, run_id: UUID, nodes: int, devices: int, places: Sequence[Place]) -> bool:
        """Take a waiting run, or offer places for it; True when younger runs shall wait for this one.

        Parameters
        ----------
        places
            Those of the run's queue.
        """
        if len(places) < devices or (nodes > 1 and not self._could_gather(nodes)):
            return False
        mine = [place for place in places if place.held == run_id]
        if not mine:
            mine = [place for place in places if place.is_free][:devices]
            if len(mine) < devices:
                return True
            if nodes > 1 and not self._offer(run_id, mine):
                return False
        run = Run.objects.get(pk=run_id)
        order = [self._worker.pk] if nodes == 1 else seats.complete(run, self._worker)
        if order is None:
            return False
        endpoint = free_endpoint(self._worker.address) if nodes > 1 else ""
        epoch = seats.begin(run_id, self._worker, [place.row for place in mine], order, endpoint)
        if epoch is not None:
            team = None
            if nodes > 1:
                team = Team(nodes, 0, endpoint, f"{run_id.hex}-{epoch}", self._worker.address)
            self._begin(mine, run_id, epoch, False, team)
        return False

    def look(self, attempts: Sequence[AttemptRunner]) -> None:
        """Begin and end this machine's part in runs of others; watch over the machines of our own."""
        ours = {attempt.run_id for attempt in attempts}
        rows: dict[UUID, list[Seat]] = {}
        for seat in seats.held(self._worker):
            rows.setdefault(seat.run_id, []).append(seat)
        for run_id in rows.keys() - ours:
            self._tend(run_id, rows[run_id][0])
        self._end_members(rows)
        for place in self._places:
            if place.held is not None and place.held not in rows and place.held not in self._members:
                place.held = None
        for attempt in attempts:
            if attempt.team is not None and seats.machines(attempt.run_id, attempt.epoch) < attempt.team.count:
                attempt.is_deserted.set()

    def _end_members(self, rows: Mapping[UUID, Sequence[Seat]]) -> None:
        """End the parts that have no seat any more, and give back the places of those that are over."""
        for run_id, member in list(self._members.items()):
            current = rows.get(run_id)
            if current is None or not seats.is_current(current[0]) or current[0].epoch != member.epoch:
                member.ended.set()
            if member.is_over.is_set():
                del self._members[run_id]
                seats.leave(run_id, self._worker)
                self._free(run_id)

    def left(self, run_id: UUID) -> None:
        """An attempt of ours on several places is over."""
        seats.leave(run_id, self._worker)

    def stop(self) -> bool:
        """End all parts in runs of others; True when they are over."""
        for member in self._members.values():
            member.ended.set()
        over = all(member.is_over.is_set() for member in self._members.values())
        if over:
            Seat.objects.filter(worker=self._worker).exclude(node=0).delete()
        return over

    def _tend(self, run_id: UUID, seat: Seat) -> None:
        """A run of others that this worker holds seats for."""
        if run_id in self._members:
            return
        if not seats.is_current(seat):
            seats.leave(run_id, self._worker)
            self._free(run_id)
        elif seat.epoch and seat.node:
            devices = [place.local for place in self._places if place.held == run_id]
            name = f"{run_id.hex}-{seat.epoch}"
            team = Team(seat.run.nodes, seat.node, seat.endpoint, name, self._worker.address)
            member = MemberRunner(run_id, seat.epoch, devices, self._next_number(), team)
            self._members[run_id] = member
            threading.Thread(target=member.run, name=f"part-{run_id.hex[:8]}", daemon=True).start()

    def _could_gather(self, nodes: int) -> bool:
        able = workers.online().exclude(address="")
        return bool(self._worker.address) and able.count() >= nodes

    def _offer(self, run_id: UUID, places: Sequence[Place]) -> bool:
        if not seats.offer(run_id, self._worker, [place.row for place in places]):
            return False
        for place in places:
            place.held = run_id
        return True

    def _free(self, run_id: UUID) -> None:
        for place in self._places:
            if place.held == run_id:
                place.held = None
