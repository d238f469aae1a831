"""What was made before: the protocol the executor asks, and the cache of one machine in a folder.

Called by the executor. A run under a supervisor asks over its pipe instead (:mod:`engine.run.child`). Must not
know blocks.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.artifacts import digest_of
from engine.run.steps import Components


@dataclass(frozen=True, slots=True)
class Hit:
    """What a step made when it last ran under this key."""

    outputs: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to a question: a hit, or what the block depended on last time."""

    hit: Hit | None
    previous: Components | None


class Cache(Protocol):
    """Where finished steps are remembered."""

    def lookup(self, block: str, key: str, parts: Components) -> Lookup:
        """Find what was made under this key; after a hit its artifacts are in the run's store."""

    def remember(self, block: str, key: str, parts: Components, hit: Hit) -> None:
        """Keep what a step made."""


class LocalCache:
    """A cache in a folder, for runs without a server.

    Parameters
    ----------
    folder
        Where entries lie; made when missing.
    scope
        Whose history explains a miss: a name of the pipeline.
    """

    def __init__(self, folder: Path, scope: str = "") -> None:
        self._entries = folder / "entries"
        self._last = folder / "last" / digest_of(scope)[:16]

    def lookup(self, block: str, key: str, parts: Components) -> Lookup:
        """Find what was made under this key."""
        entry = _read(self._entries / key[:2] / f"{key}.json")
        if entry is not None:
            self._note(block, parts)
            return Lookup(Hit(entry["outputs"], entry["metrics"]), None)
        return Lookup(None, _read(self._last / f"{block}.json"))

    def remember(self, block: str, key: str, parts: Components, hit: Hit) -> None:
        """Keep what a step made."""
        _write(self._entries / key[:2] / f"{key}.json", {"outputs": hit.outputs, "metrics": hit.metrics})
        self._note(block, parts)

    def _note(self, block: str, parts: Components) -> None:
        place = self._last / f"{block}.json"
        if _read(place) != parts:
            _write(place, parts)


class NoCache:
    """Remembers nothing: every step runs."""

    def lookup(self, block: str, key: str, parts: Components) -> Lookup:
        """Never a hit."""
        return Lookup(None, None)

    def remember(self, block: str, key: str, parts: Components, hit: Hit) -> None:
        """Forget it."""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _write(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "w") as stream:
        json.dump(value, stream)
    Path(name).replace(path)
