"""A run as a process of its own, spoken to over pipes: ``python -m engine.run FOLDER``.

Called by the supervisor, never by people. The process has no database, no broker, no network and no secrets: all it
knows is its folder, and all it says goes through one pipe.

FOLDER holds ``job.json`` (``document, targets, rerun_from, plan``), ``store`` (artifacts staged for it, and those it
makes) and ``work`` (what must survive a crash). What blocks print lands in ``log.txt``.

Events and questions leave as JSON lines on the descriptor ``DEEPSEEK_EVENT_FD`` (standard output when unset). Answers
arrive as JSON lines on standard input:

==================================================  =======================================================
child says                                          supervisor answers
==================================================  =======================================================
an event (:mod:`engine.events`)                     nothing
``cache_lookup {id, block, key, components}``       ``cache_answer {id, hit: {outputs, metrics} | null,
                                                    previous: components | null}``, after it has staged the
                                                    outputs of a hit into ``store``
``cache_store {block, key, components, outputs,     nothing; sent before the block's ``block_done``
metrics}``
nothing                                             ``cancel``
==================================================  =======================================================

Exit status: 0 after ``run_done``, also of a failed run; 75 when SIGTERM or a closed standard input asked it to stop
and a checkpoint was kept, so it may go on elsewhere; anything else is a crash.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

from engine.artifacts import ArtifactStore
from engine.catalog import load_catalog
from engine.errors import CancelledRun, InterruptedRun, StudioError, error_json
from engine.events import Event, RunDone
from engine.graph.document import parse_document
from engine.run.cache import Hit, Lookup
from engine.run.executor import execute
from engine.run.steps import Components

EXIT_RESUME = 75


class Pipe:
    """The two pipes to the supervisor. Also the run's cache, since the supervisor keeps it."""

    def __init__(self, outgoing: IO[bytes], incoming: IO[bytes]) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._lock = threading.Lock()
        self._answers: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._questions = 0
        self._stop: CancelledRun | None = None
        threading.Thread(target=self._listen, name="supervisor", daemon=True).start()

    def sink(self, event: Event) -> None:
        """Send an event."""
        self.send(event.to_json())

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one line."""
        line = json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"
        with self._lock:
            self._outgoing.write(line)
            self._outgoing.flush()

    def stop(self) -> CancelledRun | None:
        """The error to stop with, or None."""
        return self._stop

    def interrupt(self, *_: object) -> None:
        """Stop at the next step and go on elsewhere. Also the handler of SIGTERM."""
        self._stop = self._stop or InterruptedRun()

    def lookup(self, block: str, key: str, parts: Components) -> Lookup:
        """Ask the supervisor's cache."""
        self._questions += 1
        self.send({"type": "cache_lookup", "id": self._questions, "block": block, "key": key, "components": parts})
        answer = self._answers.get()
        if answer is None:
            raise InterruptedRun
        hit = answer.get("hit")
        return Lookup(Hit(hit["outputs"], hit["metrics"]) if hit else None, answer.get("previous"))

    def remember(self, block: str, key: str, parts: Components, hit: Hit) -> None:
        """Tell the supervisor's cache."""
        self.send(
            {
                "type": "cache_store",
                "block": block,
                "key": key,
                "components": parts,
                "outputs": hit.outputs,
                "metrics": hit.metrics,
            }
        )

    def _listen(self) -> None:
        for line in self._incoming:
            message = json.loads(line)
            if message["type"] == "cancel":
                self._stop = CancelledRun()
            elif message["type"] == "cache_answer":
                self._answers.put(message)
        # Nobody is there to record anything any more.
        self.interrupt()
        self._answers.put(None)


def main(folder: Path) -> int:
    """Run the job in a folder and return the exit status."""
    started = time.monotonic()
    pipe = _open_pipe(folder)
    signal.signal(signal.SIGTERM, pipe.interrupt)
    try:
        job = json.loads((folder / "job.json").read_bytes())
        execute(
            parse_document(job["document"]),
            catalog=load_catalog(),
            store=ArtifactStore(folder / "store"),
            cache=pipe,
            sink=pipe.sink,
            folder=folder,
            plan=job.get("plan"),
            targets=job.get("targets"),
            rerun_from=job.get("rerun_from"),
            stop=pipe.stop,
        )
    except InterruptedRun:
        return EXIT_RESUME
    except StudioError as error:
        pipe.sink(RunDone("failed", time.monotonic() - started, error_json(error)))
    return 0


def _open_pipe(folder: Path) -> Pipe:
    """Take the pipes for ourselves and let everything that blocks print go to the log file."""
    outgoing = os.fdopen(os.dup(int(os.environ.get("DEEPSEEK_EVENT_FD", "1"))), "wb")
    incoming = os.fdopen(os.dup(0), "rb")
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # it is a text stream
    return Pipe(outgoing, incoming)
