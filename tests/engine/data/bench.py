"""A context that runs one data block: what it warned and how far it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import resources
from engine.artifacts import ArtifactStore, FileRef
from engine.errors import CancelledRun, UserError
from engine.spec import ExecutionPlan


class Bench:
    """Stands in for the executor's context."""

    def __init__(self, folder: Path, seed: int = 7) -> None:
        self.store = ArtifactStore(folder / "store")
        self.workdir = folder / "work"
        self.workdir.mkdir(exist_ok=True)
        self.seed = seed
        self.plan = ExecutionPlan()
        self.block_id = "block"
        self.document: dict[str, Any] = {}
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self.cancelled = False

    def metric(self, name: str, value: float, step: int) -> None: ...

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None: ...

    def decide(self, kind: str, step: int, template: str, evidence: Any = None, **values: Any) -> None: ...

    def checkpoint_saved(self, step: int) -> None: ...

    def log(self, template: str, level: str = "info", **values: Any) -> None:
        self.lines.append((level, template.format_map(values), values))

    def warn(self, template: str, **values: Any) -> None:
        self.log(template, "warning", **values)

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise CancelledRun

    def resource(self, name: str) -> Path:
        return resources.resolve(name)

    def local_path(self, text: str) -> Path:
        if not Path(text).exists():
            raise UserError("There is nothing at {path}", path=text)
        return Path(text)

    @property
    def warnings(self) -> list[str]:
        return [line for level, line, _ in self.lines if level == "warning"]

    def upload(self, content: bytes | Path, filename: str) -> str:
        return self.store.put(FileRef, files={"content": content}, meta={"filename": filename}).digest


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
