"""Signs of life: each rank writes what it does, its agent reads them and finds the one that hangs.

Called by ranks (:class:`Pulse`) and by the agent of their machine (:class:`Watch`). When one process hangs, all others
soon wait for it, so silence alone names nobody. Who hangs is told by how far each one came: the others have begun the
common part of a step that the hung one never reached. Where that is equal, a stopped process gives itself away, and the
rest are asked for their Python stack (SIGUSR1, answered inside the interpreter even while it waits).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.distributed.messages import RankFolder

HANG_S = 25.0
"""Silence that counts as hanging, at least; a slow training is given ten of its slowest steps."""
SLOW_START_S = 300.0
"""Loading, the first step (which may compile) and writing a checkpoint may take that long."""
PHASES = ("start", "load", "compute", "check", "save", "end")
PATIENT = ("start", "save", "end")
STEPS = 10
WIDTH = 256


@dataclass(frozen=True, slots=True)
class Beat:
    """What a rank last said of itself.

    Attributes
    ----------
    at
        Seconds of the machine's monotonic clock, which all its processes share.
    steps
        Steps that this process has done; 0 in its first.
    step_s
        How long the last one took.
    slowest_s
        The slowest of the last ones.
    """

    pid: int
    step: int
    phase: str
    at: float
    steps: int
    step_s: float
    slowest_s: float
    memory_mib: float

    @property
    def place(self) -> tuple[int, int]:
        """How far it came; comparable between ranks."""
        return self.step, PHASES.index(self.phase)

    def limit_s(self, hang_s: float) -> float:
        """Silence after which it counts as hanging.

        >>> Beat(1, 5, "compute", 0.0, 4, 1.0, 6.0, 0.0).limit_s(25.0)
        60.0
        """
        patient = self.phase in PATIENT or not self.steps
        return max(hang_s, SLOW_START_S if patient else STEPS * self.slowest_s)


class Pulse:
    """A rank's side. One ``pwrite`` into its own small file for each sign, a few microseconds.

    Parameters
    ----------
    memory_mib
        Asked at most once a second.
    """

    def __init__(self, path: Path, memory_mib: Any = None) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._memory_mib = memory_mib or resident_mib
        self._asked_at, self._memory = 0.0, 0.0
        self._step, self._began, self._steps = -1, time.monotonic(), 0
        self._recent: list[float] = []
        self.beat(0, "start")

    def beat(self, step: int, phase: str) -> None:
        """Say what begins now in which step."""
        now = time.monotonic()
        if phase == "load":
            if self._step >= 0 and step > self._step:
                self._recent = [*self._recent[1 - STEPS :], now - self._began]
                self._steps += 1
            self._step, self._began = step, now
        if now - self._asked_at > 1.0:
            self._asked_at, self._memory = now, self._memory_mib()
        last = self._recent[-1] if self._recent else 0.0
        said = [os.getpid(), step, phase, now, self._steps, last, max(self._recent, default=0.0), self._memory]
        os.pwrite(self._file, json.dumps(said).encode().ljust(WIDTH), 0)


def resident_mib() -> float:
    """Memory of this process."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def read_beat(path: Path) -> Beat | None:
    """A rank's last sign; None before its first."""
    try:
        return Beat(*json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Hung:
    """A rank that hangs.

    Attributes
    ----------
    silent_s
        Since its last sign.
    where
        The innermost line of its stack that is not the library's, or how the system sees it; may be empty.
    """

    local_rank: int
    beat: Beat
    silent_s: float
    where: str


class Watch:
    """The agent's side: looks at the signs of the ranks of this machine.

    Parameters
    ----------
    sees_all
        False when other machines have ranks too.
    """

    def __init__(self, folder: RankFolder, hang_s: float = HANG_S, *, sees_all: bool = True) -> None:
        self._folder, self._hang_s, self._sees_all = folder, hang_s, sees_all

    def beats(self, pids: Mapping[int, int]) -> dict[int, Beat]:
        """The last signs of the processes that live now: local rank -> sign."""
        found = {rank: read_beat(self._folder.beat(rank)) for rank in pids}
        return {rank: beat for rank, beat in found.items() if beat is not None and beat.pid == pids[rank]}

    def hung(self, pids: Mapping[int, int]) -> list[Hung]:
        """Those that hang; empty when all is well. When nobody can be told apart, all of them."""
        now = time.monotonic()
        beats = self.beats(pids)
        if not any(now - beat.at > beat.limit_s(self._hang_s) for beat in beats.values()):
            return []
        # Those that came less far hold up the others; who moved a moment ago holds up nobody.
        silent = {rank: beat for rank, beat in beats.items() if now - beat.at > self._hang_s / 2}
        last = min(beat.place for beat in silent.values())
        behind = [rank for rank, beat in silent.items() if beat.place == last]
        where = self._asked(behind, pids) if len(behind) == len(silent) else dict.fromkeys(behind, "")
        guilty = [rank for rank in behind if where[rank] is not WAITING]
        if not guilty:
            guilty = behind if self._sees_all else []  # on another machine somebody hangs, and is named there
        if len(behind) < len(silent):
            where = self._asked(guilty, pids)
        return [Hung(rank, beats[rank], now - beats[rank].at, str(where[rank] or "")) for rank in guilty]

    def _asked(self, ranks: Sequence[int], pids: Mapping[int, int]) -> dict[int, str | None]:
        """Where each of them stands; WAITING for those that only wait for others."""
        running = [rank for rank in ranks if not _is_stopped(pids[rank])]
        for rank in running:
            self._folder.stack(rank).write_bytes(b"")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[rank], signal.SIGUSR1)
        time.sleep(0.3)
        found: dict[int, str | None] = dict.fromkeys(ranks, "the process is stopped")
        for rank in running:
            found[rank] = where_in(self._folder.stack(rank).read_text(errors="replace"))
        return found


WAITING = None
_ENGINE = str(Path(__file__).parents[1])
_LIBRARY = ("/torch/", *(f"{_ENGINE}/{room}/" for room in ("learn", "compute", "distributed")), "<frozen")
_COMMON = ("/torch/distributed/", "/torch/autograd/", f"{_ENGINE}/compute/world.py")


def where_in(stack: str) -> str | None:
    r"""The line that a stack hangs in, or None when it only waits for other processes.

    Parameters
    ----------
    stack
        As :mod:`faulthandler` writes it: innermost line first.

    Examples
    --------
    >>> where_in('  File "/app/mine.py", line 7 in forward\n  File "/x/torch/nn/modules/module.py", line 9 in _call')
    'mine.py, line 7, in forward'
    >>> where_in('  File "/x/torch/autograd/graph.py", line 3 in _engine_run_backward') is None
    True
    """
    lines = [line.strip() for line in stack.splitlines() if line.strip().startswith("File ")]
    if lines and any(part in lines[0] for part in _COMMON):
        return WAITING
    own = next((line for line in lines if not any(part in line for part in _LIBRARY)), None)
    if own is None:
        return ""
    path, rest = own.removeprefix('File "').split('", ', 1)
    return f"{Path(path).name}, {rest.replace(' in ', ', in ', 1)}"


def _is_stopped(pid: int) -> bool:
    """Stopped by a signal, or beyond the reach of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "TtDZ"
    except OSError:
        return True
