"""What a running block may ask for, and the plan it runs under.

Called by block files for the types; the executor supplies the real thing. Must not know how runs are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from engine.artifacts import ArtifactStore

LogLevel = Literal["debug", "info", "warning", "error"]
Precision = Literal["adaptive", "fp32", "tf32", "bf16", "fp16"]


class Choice(BaseModel):
    """What a probe found best for one workload on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Literal["fp32", "tf32", "bf16", "fp16"] = "fp32"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    compile: bool = False


class ExecutionPlan(BaseModel):
    """The choices that a clock or a machine makes, fixed before a run so that a repeat is the same run.

    Attributes
    ----------
    precision
        ``"adaptive"``: training takes the fastest that is safe, by ``choices``, and watches over it.
    memory_format, compile
        ``"auto"``: as ``choices`` say, else contiguous and not compiled.
    choices
        What was measured before on this machine: workload -> precision, memory format, compile. A repeat or an export
        replays them. They are no part of a cache key: two runs under one plan count as the same.

    Examples
    --------
    >>> ExecutionPlan(threads=2).device
    'cpu'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str = "cpu"
    precision: Precision = "fp32"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "contiguous"
    compile: bool | Literal["auto"] = False
    threads: int = 1
    choices: dict[str, Choice] = {}


class RunContext(Protocol):
    """What a block may use while it runs; it speaks to the outside only through this."""

    @property
    def seed(self) -> int:
        """Seed of this block: from the document's seed and the block's id."""

    @property
    def plan(self) -> ExecutionPlan:
        """Device, precision and threads of this run."""

    @property
    def block_id(self) -> str:
        """The id of the block in the document."""

    @property
    def document(self) -> dict[str, Any]:
        """The pipeline that runs, as JSON: for the provenance of what the block makes."""

    @property
    def store(self) -> ArtifactStore:
        """Where outputs are put."""

    @property
    def workdir(self) -> Path:
        """A folder of this block that survives a crash of the run: checkpoints go there."""

    def metric(self, name: str, value: float, step: int) -> None:
        """Log one point of a metric. ``step`` never decreases for one name."""

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        """Say how far the block is. Cheap: the newest wins and few are sent."""

    def log(self, template: str, level: LogLevel = "info", **values: Any) -> None:
        """Write a line of the log."""

    def warn(self, template: str, **values: Any) -> None:
        """Write a warning, which is shown on the block."""

    def decide(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """Say what the block decided by itself, and why: an event of the run, shown on a timeline.

        Parameters
        ----------
        kind
            ``"probe"``, ``"precision"``, ``"attribution"``, ``"batch"``, ``"rank"`` or ``"candidate"``.
        step
            Where in the training.
        template, values
            What was decided, in words.
        evidence
            The numbers behind it, small and JSON.
        """

    def checkpoint_saved(self, step: int) -> None:
        """Say that a checkpoint is safely on disk."""

    def check_cancelled(self) -> None:
        """Raise when the run must stop. Call it at least once a step.

        Raises
        ------
        CancelledRun
            A person stopped it.
        InterruptedRun
            The machine needs it to stop here and go on later: save a checkpoint and let it pass.
        """

    def resource(self, name: str) -> Path:
        """Folder of a public data set or weights, fetched where a network allows it.

        Raises
        ------
        UserError
            When it is not here and cannot be fetched; says where to put which file.
        """

    def local_path(self, text: str) -> Path:
        """A path that a person gave, resolved and checked.

        Raises
        ------
        UserError
            When it does not exist or this run may not read it.
        """
