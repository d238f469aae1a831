"""One child process: started so that it cannot outlive us, stopped with everything it started.

Called by the keeper. Knows processes, not what they are for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LOG_LIMIT_BYTES = 10 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Spec:
    """What to start.

    Parameters
    ----------
    name
        Its name for people, and of its log file.
    command
        Program and arguments.
    log
        File that its output is appended to.
    environment
        All of its environment.
    death_signal
        What it gets when this process dies without a word.
    stop_s
        How long it may take to stop when asked, in seconds.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    death_signal: signal.Signals = signal.SIGKILL
    stop_s: float = 10.0


@dataclass
class Child:
    """A running (or just ended) process of a spec."""

    spec: Spec
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, spec: Spec) -> Child:
        """Start it in a session of its own, so that Ctrl-C reaches only us and a group kill reaches all of it."""
        _shorten(spec.log)
        with spec.log.open("ab") as log:
            process = subprocess.Popen(
                spec.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(spec.environment),
                start_new_session=True,
                preexec_fn=_die_with_parent(spec.death_signal),  # this process has one thread
            )
        return cls(spec, process)

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """None while it runs, else its exit status, negative for a signal."""
        return self.process.poll()

    def terminate(self) -> None:
        """Ask it to stop; itself only, so that a worker can end its own children in order."""
        if self.exit_code() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End it and its process group at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def log_tail(self, lines: int = 20) -> str:
        """The end of its log."""
        return tail(self.spec.log, lines)


def describe_exit(code: int) -> str:
    """An exit status in words.

    >>> describe_exit(-9), describe_exit(3)
    ('killed by SIGKILL', 'exit code 3')
    """
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a text file; empty when there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 64 * 1024))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent dies, so that none of them escapes (Linux)."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans(known: set[int]) -> list[psutil.Process]:
    """Our children that we did not start: their parent died."""
    return [process for process in psutil.Process().children() if process.pid not in known]


def reap_orphans(known: set[int]) -> None:
    """Take the exit status of adopted children that have ended by themselves, so that no zombie stays."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in known:  # one of ours is for its `Child` to take
            return
        os.waitpid(ended.si_pid, 0)


def kill_orphans(known: set[int]) -> None:
    """End the adopted children, all they started, and take their exit status so that no zombie stays."""
    for orphan in orphans(known):
        for process in [*_descendants(orphan), orphan]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        try:
            os.waitpid(orphan.pid, 0)
        except ChildProcessError:
            continue


def kill_descendants(timeout_s: float = 5.0) -> list[int]:
    """End every process below this one; returns the ids of those that would not go."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        kill_orphans(known=set())
        left = _descendants(psutil.Process())
        if not left:
            return []
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    return [process.pid for process in _descendants(psutil.Process())]


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _shorten(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".1.log"))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec: ask the kernel for a signal when its parent dies."""
    if sys.platform != "linux":
        return None
    libc, parent = _libc(), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
