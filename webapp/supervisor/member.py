"""A machine's part in a run that another worker carries out: a process that takes part in its jobs.

Called by :mod:`webapp.supervisor.gathering`, on a thread of its own. The process asks for artifacts and is given those
of the run's workspace; it says nothing else, because the first machine speaks for the run.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from webapp.artifacts import store
from webapp.runs.models import Run
from webapp.supervisor import sandbox
from webapp.supervisor.child import Child
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.eventfile import EventFile, ProtocolError
from webapp.supervisor.launch import box_of
from webapp.supervisor.staging import RunFolder
from webapp.supervisor.team import Team

log = logging.getLogger(__name__)
PROGRAM = ("-m", "engine.distributed.member")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LOOK_S = 0.25


class MemberRunner:
    """Carries out one machine's part in one attempt."""

    def __init__(self, run_id: UUID, epoch: int, devices: Sequence[LocalDevice], number: int, team: Team) -> None:
        self.run_id, self.epoch, self.devices, self.number, self.team = run_id, epoch, tuple(devices), number, team
        self.ended = threading.Event()
        self.is_over = threading.Event()

    def run(self) -> None:
        """The whole part. Never raises."""
        try:
            self._carry_out()
        except Exception:
            log.exception("The part of run %s on this machine broke", self.run_id.hex)
        finally:
            connection.close()
            self.is_over.set()

    def _carry_out(self) -> None:
        run = Run.objects.select_related("project").get(pk=self.run_id)
        workspace = run.project.workspace_id
        mode = sandbox.mode()
        folder = RunFolder(run.id, workspace, mode, self.team.node)
        with folder.locked() as lock, EventFile(folder.events(self.epoch)) as events:
            folder.prepare({}, {})
            if mode == "uid":
                folder.give_away(sandbox.FIRST_UID + self.number % sandbox.UIDS)
            child = Child(
                box_of(folder, self.devices, self.number, self.team),
                [*PROGRAM, str(folder.box)],
                console=folder.console(self.epoch),
                event_fd=events.writer,
                keep_fds=(lock,),
                mode=mode,
            )
            events.close_writer()
            try:
                while not self.ended.is_set() and child.poll() is None:
                    for line in events.take():
                        _stage(line, folder, workspace)
                        child.send({"type": "staged"})
                    events.wait(LOOK_S)
            except ProtocolError as error:
                log.warning("The part of run %s on this machine broke the rules: %s", self.run_id.hex, error)
            finally:
                child.kill()
        folder.remove()


def _stage(line: bytes, folder: RunFolder, workspace: UUID) -> None:
    """Give the process artifacts of its own workspace."""
    try:
        digests = json.loads(line)["digests"]
    except (ValueError, TypeError, KeyError):
        raise ProtocolError("a line is no question") from None
    for digest in digests if isinstance(digests, list) else ():
        known = isinstance(digest, str) and DIGEST.fullmatch(digest) and store.owned(workspace, digest)
        if not known:
            raise ProtocolError("it asks for an artifact that is not in its workspace")
        folder.stage(digest)
