"""What a function of a rank speaks through: as :class:`engine.spec.RunContext`, by way of the shared folder.

Called by :mod:`engine.distributed.rank`. Rank 0 speaks for all; what the others say is dropped, because all say the
same.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore
from engine.compute.world import World
from engine.distributed.messages import Outbox, RankFolder
from engine.errors import UserError
from engine.spec import ExecutionPlan
from engine.spec.context import LogLevel

CANCELLED, INTERRUPTED = "cancelled", "interrupted"
WISHES = {CANCELLED: 1, INTERRUPTED: 2}


class RankContext:
    """The context of one rank.

    Parameters
    ----------
    job
        The part ``context`` of the job: what the run's own context says of itself.
    plan
        The run's plan, with this rank's device and share of the threads.
    """

    def __init__(self, folder: RankFolder, job: Mapping[str, Any], plan: ExecutionPlan, world: World) -> None:
        self.seed = int(job["seed"])
        self.plan = plan
        self.block_id = str(job["block_id"])
        self.document: dict[str, Any] = dict(job["document"])
        self.store = ArtifactStore(Path(job["store"]))
        self.workdir = Path(job["workdir"])
        self._folder = folder
        self._outbox = Outbox(folder.said) if world.is_main else None

    def metric(self, name: str, value: float, step: int) -> None:
        """Log one point of a metric."""
        self._say("metric", name, float(value), step)

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        """Say how far it is."""
        self._say("progress", done, total, unit, eta_s)

    def log(self, template: str, level: LogLevel = "info", **values: Any) -> None:
        """Write a line of the log."""
        self._say("log", template, level, now=True, values=values)

    def warn(self, template: str, **values: Any) -> None:
        """Write a warning."""
        self.log(template, "warning", **values)

    def decide(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """Say what was decided, and why."""
        self._say("decide", kind, step, template, dict(evidence or {}), now=True, values=values)

    def checkpoint_saved(self, step: int) -> None:
        """Say that a checkpoint is safely on disk."""
        self._say("checkpoint_saved", step, now=True)

    def check_cancelled(self) -> None:
        """Do nothing: ranks stop together, in the same step, by what rank 0 hears (``World.wish``)."""

    def resource(self, name: str) -> Path:
        """Folder of a public data set or weights that is here already."""
        # By name, as the run's own context does: the module is a neighbour that most ranks never need.
        found: Path = importlib.import_module("engine.resources").resolve(name, lambda done, total: None)
        return found

    def local_path(self, text: str) -> Path:
        """A path that a person gave, resolved and checked."""
        path = Path(text).expanduser()
        if path.exists():
            return path.resolve()
        raise UserError("There is nothing at {path}", hint="Check the path.", path=text[:300])

    def close(self) -> None:
        """Send what is left."""
        if self._outbox is not None:
            self._outbox.close()

    def _say(self, call: str, *args: Any, now: bool = False, values: Mapping[str, Any] | None = None) -> None:
        if self._outbox is not None:
            self._outbox.call(call, *args, now=now, values=dict(values or {}))


def wish(folder: RankFolder) -> int:
    """What the run wants of its ranks, as :attr:`engine.compute.world.World.wish`."""
    try:
        return WISHES.get(folder.stop.read_text(), 0)
    except FileNotFoundError:
        return 0
