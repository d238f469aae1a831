"""One attempt to carry out a run: from the claimed row to its end, on a thread of its own.

Called by :mod:`webapp.supervisor.dispatcher`, which also renews the lease and says when to stop. The steps:

1. Take what an attempt before this one left in its event file (the worker may have been killed).
2. Stage inputs, fetch public data sets, start ``engine.run`` inside the walls.
3. Read events, answer questions about the cache, store in batches, until the child ends or must end.
4. Say how it ended: by its own last event, back to the queue, or lost.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from webapp import bridge
from webapp.runs import transitions
from webapp.runs.log import Fenced
from webapp.runs.models import Attempt, Run
from webapp.supervisor import protocol, sandbox
from webapp.supervisor.caching import RunCache
from webapp.supervisor.child import Child, ChildStuck
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.eventfile import EventFile, ProtocolError, remaining_lines
from webapp.supervisor.launch import artifact_params, box_of, fetch_resources
from webapp.supervisor.meter import Meter
from webapp.supervisor.recorder import Recorder
from webapp.supervisor.staging import RunFolder
from webapp.supervisor.team import Team
from webapp.supervisor.tools import tail

log = logging.getLogger(__name__)
BATCH_S = 0.04
"""Two batches start at least that far apart; the first event after a pause is stored at once."""
CANCEL_GRACE_S = 2.5
STOP_GRACE_S = 10.0
END_GRACE_S = 5.0
RETRY_S = 1.0
EXIT_RESUME = 75
MAX_PROBES = 64
"""Of one attempt whose results are kept."""
PROGRAM = ("-m", "engine.run")
T = TypeVar("T")


class Stopped(Exception):
    """Somebody decided how the attempt ends before its process did."""


class AttemptRunner:
    """Carries out one attempt; the dispatcher sets its flags from another thread."""

    def __init__(
        self, run_id: UUID, epoch: int, devices: Sequence[LocalDevice], number: int, team: Team | None = None
    ) -> None:
        self.run_id = run_id
        self.epoch = epoch
        self.devices = tuple(devices)
        self.number = number
        self.team = team
        self.is_deserted = threading.Event()
        self.cancelled = threading.Event()
        self.stopping = threading.Event()
        self.fenced = threading.Event()
        self.events: EventFile | None = None
        self._scope = ""
        self._probes_left = MAX_PROBES
        self._child: Child | None = None
        self._done: protocol.RunDone | None = None
        self._last_store = 0.0
        self._began = time.monotonic()

    def run(self) -> None:
        """The whole attempt. Never raises."""
        try:
            self._carry_out()
        except Fenced:
            log.warning("Run %s belongs to another attempt now; attempt %d stops", self.run_id.hex, self.epoch)
        except Exception as error:
            log.exception("Attempt %d of run %s broke", self.epoch, self.run_id.hex)
            problem = f"{type(error).__name__}: {error}"[:300]
            with contextlib.suppress(Exception):
                self._lose("the worker failed: {problem}", problem=problem)
        finally:
            if self._child is not None:
                self._child.kill()
            connection.close()

    def _carry_out(self) -> None:
        run = self._insist(lambda: Run.objects.select_related("spec", "project").get(pk=self.run_id))
        try:
            mode = sandbox.mode()
        except sandbox.SandboxUnavailable as error:
            self._fail_before_start("Runs cannot be sandboxed on this worker: {problem}", problem=str(error))
            return
        self.folder = RunFolder(run.id, run.project.workspace_id, mode)
        with self.folder.locked() as lock:
            self.recorder = self._insist(lambda: Recorder(run.id, self.epoch))
            self.cache = RunCache(run, self.folder)
            if self._take_leftovers() or not self._prepare(run):
                self._clean_up()
                return
            self.recorder.expect_repeats()
            with EventFile(self.folder.events(self.epoch)) as self.events:
                child = self._child = self._start(mode, lock, self.events)
                self._follow(child, self.events)
            self._clean_up()

    def _prepare(self, run: Run) -> bool:
        """Stage inputs; False when the attempt ended here."""
        document = run.spec.document
        catalog = bridge.catalog()
        job = {
            "document": document,
            "targets": run.spec.targets,
            "rerun_from": run.spec.rerun_from,
            "plan": run.spec.plan,
            "attempt": self.epoch,
        }
        self._scope = run.project.workspace_id.hex
        self.folder.prepare(job, catalog, bridge.profile_of(self._scope))
        for digest in artifact_params(document, catalog):
            self._insist(partial(self.folder.stage, digest))
        try:
            for event in fetch_resources(document, catalog, self._must_end):
                self.recorder.add_own(event)
                self._store()
        except InterruptedError:
            self._end_without_child()
            return False
        return True

    def _start(self, mode: sandbox.Mode, lock: int, events: EventFile) -> Child:
        box = box_of(self.folder, self.devices, self.number, self.team)
        self.meter = Meter(box.limits, self.devices[0])
        if mode == "uid":
            self.folder.give_away(sandbox.FIRST_UID + self.number % sandbox.UIDS)
        child = Child(
            box,
            [*PROGRAM, str(self.folder.box)],
            console=self.folder.console(self.epoch),
            event_fd=events.writer,
            keep_fds=(lock,),
            mode=mode,
        )
        events.close_writer()
        return child

    def _follow(self, child: Child, events: EventFile) -> None:
        asked_to_end = 0.0
        try:
            while self._done is None:
                code = child.poll()  # before reading: what it wrote before its end is read below
                self._read(child, events)
                if code is not None and not events.has_more():
                    break
                asked_to_end = self._ask_to_end(child, asked_to_end)
                self._measure(child)
                if code is None:
                    events.wait(self._pause())
            if self._done is None:
                self._ended_silently(child.poll() or 0)
            elif child.wait(END_GRACE_S) is None:
                child.kill()
        except (ProtocolError, ChildStuck) as error:
            child.kill()
            self._fail("The run's process broke the rules and was stopped: {problem}", problem=str(error))
        except Stopped:
            pass
        finally:
            self.meter.close()

    def _read(self, child: Child, events: EventFile) -> None:
        for line in events.take():
            message = protocol.parse(line)
            if isinstance(message, protocol.CacheLookup):
                child.send(self._answer(message))
            else:
                self._handle(message)
            if isinstance(message, protocol.RunDone):
                self._done = message
                break
        due = time.monotonic() - self._last_store >= BATCH_S
        if not self.recorder.is_empty and (due or self._done is not None or events.has_more()):
            self._store()

    def _answer(self, question: protocol.CacheLookup) -> dict[str, Any]:
        return self._insist(lambda: self.cache.answer(question))

    def _handle(self, message: protocol.Event | protocol.CacheStore) -> None:
        if isinstance(message, protocol.CacheStore):
            self._insist(lambda: self.cache.keep(message))
            return
        if isinstance(message, protocol.BlockDone):
            for output in message.outputs.values():
                self._insist(partial(self.folder.take, output.digest))
        if isinstance(message, protocol.RunDone) and self._child is not None:
            self.recorder.add_system(self.meter.rest())
        if isinstance(message, protocol.Decision) and message.kind == "probe":
            self._learn(message.evidence)
        maker = self.cache.makers.get(message.block) if isinstance(message, protocol.BlockCached) else None
        self.recorder.add(message, **({"made_by": maker} if maker else {}))

    def _learn(self, evidence: dict[str, Any]) -> None:
        """Keep what the run measured for later runs of its workspace; a run measures a few workloads, not hundreds."""
        if self._probes_left:
            self._probes_left -= 1
            with contextlib.suppress(OSError):  # a full disk is no reason to lose the run: it will be measured again
                bridge.remember_choice(evidence, self._scope)

    def _pause(self) -> float:
        if self.recorder.is_empty:
            return 0.25
        return max(0.001, self._last_store + BATCH_S - time.monotonic())

    def _store(self) -> None:
        self._last_store = time.monotonic()
        read = 0 if self.events is None else self.events.offset
        self._insist(lambda: self.recorder.store(read))
        if self.events is not None:
            self.events.forget(read)

    def _ask_to_end(self, child: Child, asked: float) -> float:
        """Pass on a wish to stop, and insist on it after its grace; returns when it was passed on."""
        if self.fenced.is_set():
            raise Fenced(str(self.run_id))
        if self.is_deserted.is_set():
            child.kill()
            self._lose("a machine left the run")
            raise Stopped
        now = time.monotonic()
        if self.cancelled.is_set():
            if not asked:
                child.send({"type": "cancel"})
            elif now - asked > CANCEL_GRACE_S:
                child.kill()
            return asked or now
        if self.stopping.is_set():
            if not asked:
                child.terminate()
            elif now - asked > STOP_GRACE_S:
                child.kill()
            return asked or now
        return asked

    def _measure(self, child: Child) -> None:
        points, too_much = self.meter.look(child)
        self.recorder.add_system(points)
        if too_much is not None:
            child.kill()
            self._fail(
                "The run used more than {limit} MiB of memory and was stopped",
                hint="Use a smaller batch, smaller images or fewer rows.",
                limit=too_much,
            )
            raise Stopped

    def _ended_silently(self, code: int) -> None:
        """The process is gone and said nothing of an end."""
        if not self.recorder.is_empty:
            self._store()
        if self.cancelled.is_set() or (self.stopping.is_set() or code == EXIT_RESUME):
            self._end_without_child()
            return
        words = (tail(self.folder.console(self.epoch), 400).strip().splitlines() or [""])[-1][:200]
        if code > 128:
            self._lose("the process ended with signal {number}: {words}", number=code - 128, words=words or "-")
        else:
            self._lose("the process ended with exit code {number}: {words}", number=code, words=words or "-")

    def _end_without_child(self) -> None:
        if self.cancelled.is_set():
            self.recorder.add(protocol.RunDone(type="run_done", status="cancelled", duration_s=self._duration_s()))
            self._store()
        else:
            self._insist(lambda: transitions.give_back(self.run_id, self.epoch))

    def _lose(self, template: str, **values: Any) -> None:
        self._insist(lambda: transitions.lose(self.run_id, self.epoch, template, delay_s=RETRY_S, **values))

    def _fail(self, template: str, *, hint: str | None = None, **values: Any) -> None:
        error = transitions.error_json(template, hint=hint, **values)
        self.recorder.add(
            protocol.RunDone(type="run_done", status="failed", duration_s=self._duration_s(), error=error)
        )
        self._store()

    def _fail_before_start(self, template: str, **values: Any) -> None:
        self.recorder = Recorder(self.run_id, self.epoch)
        self._fail(template, **values)

    def _take_leftovers(self) -> bool:
        """Store what earlier attempts had written but nobody had stored; True when the run ended in there."""
        for attempt in Attempt.objects.filter(run_id=self.run_id, number__lt=self.epoch):
            path = self.folder.events(attempt.number)
            if not path.exists():
                continue
            ended, read = False, attempt.read
            self.recorder.expect_repeats()
            with contextlib.suppress(ProtocolError):
                for line, after in remaining_lines(path, attempt.read):
                    message = protocol.parse(line)
                    read = after
                    if not isinstance(message, protocol.CacheLookup):
                        self._handle(message)
                    ended = isinstance(message, protocol.RunDone)
                    if ended:
                        break
            if not self.recorder.is_empty:
                self._insist(partial(self.recorder.store, read, attempt.number))
            path.unlink()
            if ended:
                return True
        return False

    def _clean_up(self) -> None:
        run = self._insist(lambda: Run.objects.only("status", "epoch").get(pk=self.run_id))
        if run.has_ended:
            self.folder.remove()

    def _duration_s(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _must_end(self) -> bool:
        return self.cancelled.is_set() or self.stopping.is_set() or self.fenced.is_set()

    def _insist(self, work: Callable[[], T]) -> T:
        """Do something with the database, however long it is away. The child goes on: its events wait in a file."""
        while True:
            try:
                return work()
            except (OperationalError, InterfaceError) as error:
                log.warning("The database does not answer, run %s waits: %s", self.run_id.hex, error)
                connection.close()
                if self.fenced.wait(RETRY_S):
                    raise Fenced(str(self.run_id)) from None
