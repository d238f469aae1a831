"""A machine that takes part in the jobs of a run that another one carries out: ``python -m engine.distributed.member``.

Called by the supervisor with the run's folder on this machine, never by people. It waits at the first machine's store
until a block there starts a job, has its supervisor stage what the job opens, and runs its share of the ranks; then it
waits for the next one. It is ended from outside when the run is over, and by itself when the first machine is gone.

Over the pipe of events it asks ``{"type": "stage", "digests": [...]}``; ``{"type": "staged"}`` on standard input is the
answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from engine.artifacts import ArtifactStore
from engine.distributed.launch import Job, launch
from engine.distributed.meeting import Board, open_store
from engine.distributed.messages import Nodes
from engine.distributed.nodes import VARIABLE
from engine.errors import StudioError
from engine.spec import ExecutionPlan

LOOK_S = 0.2


class MemberContext:
    """What the launcher needs of a run's context; nothing is said here, the first machine speaks for all."""

    def __init__(self, folder: Path, told: Mapping[str, Any]) -> None:
        self.seed, self.block_id, self.document = int(told["seed"]), str(told["block_id"]), dict(told["document"])
        self.plan = ExecutionPlan.model_validate(told["plan"])
        self.store = ArtifactStore(folder / "store")
        self.workdir = folder / "work" / self.block_id
        self.workdir.mkdir(parents=True, exist_ok=True)

    def metric(self, name: str, value: float, step: int) -> None:
        """Say nothing."""

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        """Say nothing."""

    def log(self, template: str, level: str = "info", **values: Any) -> None:
        """Say nothing."""

    def warn(self, template: str, **values: Any) -> None:
        """Say nothing."""

    def decide(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """Say nothing."""

    def checkpoint_saved(self, step: int) -> None:
        """Say nothing."""

    def check_cancelled(self) -> None:
        """Go on: whoever wants the end ends the process."""

    def resource(self, name: str) -> Path:
        """Refuse: what a job opens is staged before it starts."""
        raise FileNotFoundError(name)

    def local_path(self, text: str) -> Path:
        """Refuse: what a job opens is staged before it starts."""
        raise FileNotFoundError(text)


def main(folder: Path, nodes: Nodes, ask: Any) -> int:
    """Take part in jobs until the first machine is gone.

    Parameters
    ----------
    ask
        Called with digests; returns when they are in the store.
    """
    from torch import distributed

    try:
        store, number = open_store(nodes), 0
        while True:
            job = Board(store, number).job()
            if job is None:
                time.sleep(LOOK_S)
                continue
            ask(job["artifacts"])
            _take_part(folder, nodes, job)
            number += 1
    except distributed.DistError:
        return 0  # the run is over there


def _take_part(folder: Path, nodes: Nodes, job: Mapping[str, Any]) -> None:
    part = Job(
        program=job["program"],
        arguments=job["arguments"],
        processes=job["processes"],
        device=job["device"],
        nodes=nodes,
        hang_s=job["hang_s"],
    )
    try:
        launch(part, MemberContext(folder, job["context"]))
    except (StudioError, RuntimeError) as error:
        print(f"This machine's part of the job failed: {error}", file=sys.stderr)  # noqa: T201  (the console's file)


class Pipe:
    """The way to the supervisor."""

    def __init__(self, outgoing: IO[bytes], incoming: IO[bytes]) -> None:
        self._outgoing, self._incoming = outgoing, incoming

    def ask(self, digests: list[str]) -> None:
        """Have artifacts staged; returns when they are there."""
        self._outgoing.write(json.dumps({"type": "stage", "digests": digests}).encode() + b"\n")
        self._outgoing.flush()
        if not self._incoming.readline():
            raise SystemExit(0)  # the supervisor is gone


if __name__ == "__main__":
    pipe = Pipe(os.fdopen(os.dup(int(os.environ.get("DEEPSEEK_EVENT_FD", "1"))), "wb"), os.fdopen(os.dup(0), "rb"))
    code = main(Path(sys.argv[1]), Nodes(**json.loads(os.environ[VARIABLE])), pipe.ask)
    os._exit(code)
