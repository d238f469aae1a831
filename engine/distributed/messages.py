"""The folder that a run and its ranks share, and what lies in it.

Called by both sides. Everything is a file: it outlives the process that wrote it, never blocks a writer, and needs no
network. One writer for each file.

===================  ==========================================================================
``job.json``         what to do (written once, by the run)
``round.json``       the word by which the processes of one start find each other (the agent)
``said.jsonl``       what rank 0 wants to say to the run, one call on each line
``stop``             the run wants the ranks to stop; says why
``beats/N``          what rank N of this machine does now (:mod:`engine.distributed.health`)
``errors/N.json``    why rank N gave up
``stacks/N.txt``     where rank N stood when it was asked
``result.json``      what rank 0's function returned
``logs/``            what the ranks printed
===================  ==========================================================================
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLUSH_S = 0.05
HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Nodes:
    """The machines of one job.

    Attributes
    ----------
    count
        How many.
    endpoint
        ``host:port`` of the first; port 0 on a single machine: any that is free.
    name
        Equal on all of them, and no other job's.
    is_first
        True on the machine whose address the endpoint is.
    address
        Of this machine, as the others reach it.
    """

    count: int = 1
    endpoint: str = f"{HERE}:0"
    name: str = "ranks"
    is_first: bool = True
    address: str = HERE


@dataclass(frozen=True, slots=True)
class RankFolder:
    """Paths inside the shared folder."""

    path: Path

    @property
    def job(self) -> Path:
        """What to do."""
        return self.path / "job.json"

    @property
    def round(self) -> Path:
        """How the processes of one start find each other."""
        return self.path / "round.json"

    @property
    def said(self) -> Path:
        """Rank 0's words."""
        return self.path / "said.jsonl"

    @property
    def stop(self) -> Path:
        """There when the ranks shall stop."""
        return self.path / "stop"

    @property
    def result(self) -> Path:
        """What came out."""
        return self.path / "result.json"

    @property
    def logs(self) -> Path:
        """What ranks printed."""
        return self.path / "logs"

    def beat(self, local_rank: int) -> Path:
        """What a rank does now."""
        return self.path / "beats" / str(local_rank)

    def error(self, local_rank: int) -> Path:
        """Why a rank gave up."""
        return self.path / "errors" / f"{local_rank}.json"

    def stack(self, local_rank: int) -> Path:
        """Where a rank stood."""
        return self.path / "stacks" / f"{local_rank}.txt"

    def make(self) -> None:
        """An empty folder, ready for ranks."""
        for name in ("beats", "errors", "stacks", "logs"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self.stop.unlink(missing_ok=True)
        self.result.unlink(missing_ok=True)
        self.said.write_bytes(b"")


def write_json(path: Path, value: Any) -> None:
    """Write a file that is seen whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """What :func:`write_json` wrote; None when it did not yet."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


class Outbox:
    """Rank 0's end: calls of the run's context, written as lines.

    Numbers gather for a twentieth of a second; words go at once. Safe from many threads.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", buffering=1 << 16)
        self._stream.write("\n")  # ends the half line of one that was killed
        self._lock = threading.Lock()
        self._flushed_at = 0.0

    def call(self, name: str, *args: Any, values: Mapping[str, Any], now: bool = False) -> None:
        """Say it; ``now``: it must not wait for more."""
        line = json.dumps([name, args, values], default=str)
        with self._lock:
            self._stream.write(line + "\n")
            if now or time.monotonic() - self._flushed_at >= FLUSH_S:
                self._stream.flush()
                self._flushed_at = time.monotonic()

    def close(self) -> None:
        """Send what is left."""
        with self._lock:
            self._stream.close()


class Inbox:
    """The run's end: reads whole lines as they come."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._rest = b""

    def take(self) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
        """Calls that arrived since the last time.

        A rank that was killed may leave half a line behind: it is left out.
        """
        *lines, self._rest = (self._rest + self._stream.read()).split(b"\n")
        for line in lines:
            try:
                name, args, values = json.loads(line)
            except ValueError:
                continue
            yield str(name), list(args), dict(values)

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()
