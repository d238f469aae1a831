"""Checkpoints that survive a kill at any moment.

Called by the training loop. A checkpoint is a new folder: ``tensors.safetensors``, ``state.json`` and, last,
``manifest.json`` with the sha256 of both. Files and folders are synced before the folder gets its name, and the pointer
``latest``, which people and tools read, is swapped by a rename. Loading takes the newest folder whose hashes are right,
so whatever the moment of a crash, the newest complete checkpoint loads. Writing can go on beside the training, in a
thread: what is written is a copy. No pickle.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.artifacts import canonical_json, hash_file

FORMAT = "deepseek.checkpoint/1"
TENSORS, STATE, MANIFEST, LATEST = "tensors.safetensors", "state.json", "manifest.json", "latest"
_NAME = re.compile(r"step-(\d{12})")
LEAST_SECONDS = 2.0
SHARE_OF_TIME = 0.02


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes
    ----------
    step
        Steps done when it was written.
    tensors
        Name -> tensor on the CPU.
    state
        JSON.
    offsets
        Of tensors that are one process's part of a larger one: its whole shape, and where the part begins.
    """

    step: int
    tensors: Mapping[str, Tensor]
    state: dict[str, Any]
    offsets: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)


class CheckpointFolder:
    """The checkpoints of one training run.

    Parameters
    ----------
    folder
        Made when first written to.
    every_steps
        Steps between checkpoints; 0: as often as costs at most 2 % of the time, and at most every 2 seconds.
    keep
        How many complete ones stay.
    """

    def __init__(self, folder: Path, every_steps: int = 0, keep: int = 2) -> None:
        self.folder = folder
        self.skipped: list[str] = []
        self._every_steps = every_steps
        self._keep = keep
        self._written_at = time.monotonic()
        self._took_s = 0.0
        self._writer: Thread | None = None
        self._error: Exception | None = None
        self._complete: deque[int] = deque()

    def due(self, step: int) -> bool:
        """True when it is time to write one. Costs well under a microsecond."""
        if self._every_steps:
            return step % self._every_steps == 0
        if self._writer is not None and self._writer.is_alive():
            return False
        pause_s = max(LEAST_SECONDS, self._took_s / SHARE_OF_TIME)
        return time.monotonic() - self._written_at >= pause_s

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove those that are no longer needed."""
        started = time.monotonic()
        temporary = self.folder / f".step-{checkpoint.step:012d}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        save_file(dict(checkpoint.tensors), temporary / TENSORS)
        (temporary / STATE).write_bytes(canonical_json(checkpoint.state))
        files = {
            n: {"sha256": hash_file(temporary / n), "size": (temporary / n).stat().st_size} for n in (TENSORS, STATE)
        }
        self._publish(temporary, {"format": FORMAT, "step": checkpoint.step, "files": files})
        self._took_s = self._written_at - started
        self._complete.append(checkpoint.step)

    def save_beside(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint while the training goes on; at most one is being written at a time.

        With a fixed number of steps between two it is written at once: so a crash costs no more than these steps. Its
        tensors must be copies. An error shows at the next call of :meth:`save_beside` or :meth:`wait`.
        """
        self.wait()
        if self._every_steps:
            self.save(checkpoint)
            return
        self._writer = Thread(target=self._save_and_keep_error, args=(checkpoint,), name="checkpoint")
        self._writer.start()

    def wait(self) -> None:
        """Until nothing is being written any more.

        Raises
        ------
        Exception
            What went wrong while writing.
        """
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def newly_complete(self) -> list[int]:
        """Steps whose checkpoints have become complete since this was asked last."""
        steps = []
        while self._complete:
            steps.append(self._complete.popleft())
        return steps

    def _save_and_keep_error(self, checkpoint: Checkpoint) -> None:
        try:
            self.save(checkpoint)
        except Exception as error:  # shown in the thread that trains
            self._error = error

    def _publish(self, temporary: Path, manifest: dict[str, Any]) -> None:
        """Write the manifest, sync all, give the folder its name, and remove what is no longer needed."""
        name = f"step-{manifest['step']:012d}"
        place = self.folder / name
        (temporary / MANIFEST).write_bytes(canonical_json(manifest))
        for file in (*manifest["files"], MANIFEST):
            _sync(temporary / file)
        _sync(temporary)
        if place.exists():
            shutil.rmtree(place)
        temporary.rename(place)
        pointer = self.folder / f".{LATEST}"
        pointer.write_text(name)
        _sync(pointer)
        pointer.replace(self.folder / LATEST)
        _sync(self.folder)
        for old in self._names()[self._keep :]:
            shutil.rmtree(self.folder / old)
        self._written_at = time.monotonic()

    def load(self) -> Checkpoint | None:
        """The newest complete checkpoint, or None. Damaged ones are passed over and named in ``skipped``."""
        for name in self._names():
            found = self._read(self.folder / name)
            if found is not None:
                return found
            self.skipped.append(name)
        return None

    def _read(self, place: Path) -> Checkpoint | None:
        """A checkpoint, or None when it is not as it was written."""
        return _read(place)

    def _names(self) -> list[str]:
        """Complete checkpoints from new to old."""
        if not self.folder.is_dir():
            return []
        return sorted((p.name for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def _read(place: Path) -> Checkpoint | None:
    """A checkpoint, or None when anything about it is not as it was written."""
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            return None
        for name in (TENSORS, STATE):
            if hash_file(place / name) != manifest["files"][name]["sha256"]:
                return None
        state = json.loads((place / STATE).read_bytes())
        return Checkpoint(int(manifest["step"]), load_file(place / TENSORS), state)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
