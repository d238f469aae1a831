"""A run context that remembers what a block said, and can stop it at a step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.artifacts import ArtifactStore
from engine.spec import ExecutionPlan


class Recorder:
    """As :class:`engine.spec.RunContext`; ``points`` holds (name, value, step)."""

    def __init__(self, folder: Path, seed: int = 0, stop: Callable[[Recorder], None] | None = None) -> None:
        self.seed = seed
        self.plan = ExecutionPlan(threads=1)
        self.block_id = "train"
        self.document: dict[str, Any] = {"seed": seed, "blocks": {}, "wires": []}
        self.store = ArtifactStore(folder / "store")
        self.workdir = folder / "work"
        self.workdir.mkdir(exist_ok=True)
        self.points: list[tuple[str, float, int]] = []
        self.lines: list[str] = []
        self.checkpoints: list[int] = []
        self.decisions: list[dict[str, Any]] = []
        self.steps = 0
        self._stop = stop

    def metric(self, name: str, value: float, step: int) -> None:
        self.points.append((name, value, step))

    def series(self, name: str) -> list[tuple[int, float]]:
        return [(step, value) for known, value, step in self.points if known == name]

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        self.done = (done, total, unit)

    def log(self, template: str, level: str = "info", **values: Any) -> None:
        self.lines.append(template.format(**values))

    def warn(self, template: str, **values: Any) -> None:
        self.log(template, "warning", **values)

    def decide(
        self, kind: str, step: int, template: str, evidence: dict[str, Any] | None = None, **values: Any
    ) -> None:
        self.decisions.append(
            {"kind": kind, "step": step, "said": template.format(**values), "evidence": evidence or {}}
        )

    def checkpoint_saved(self, step: int) -> None:
        self.checkpoints.append(step)

    def check_cancelled(self) -> None:
        self.steps += 1
        if self._stop is not None:
            self._stop(self)

    def resource(self, name: str) -> Path:
        raise NotImplementedError

    def local_path(self, text: str) -> Path:
        return Path(text)
