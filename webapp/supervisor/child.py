"""One child process: started in a session of its own, watched, and ended together with all it started.

Called by the supervisor's attempts and by tools. Must not know runs, databases or Django.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from webapp.supervisor import sandbox
from webapp.supervisor.usage import TreeUsage, Usage

ANSWER_TIMEOUT_S = 10.0


class ChildStuck(RuntimeError):
    """The child does not read what it is told."""


class Child:
    """A process inside the walls.

    Parameters
    ----------
    box
        What it may see.
    argv
        Arguments of the interpreter, such as ``["-m", "engine.run", folder]``.
    console
        File that collects what it prints outside its events.
    event_fd
        An open file that it writes its events to; named by ``DEEPSEEK_EVENT_FD``.
    keep_fds
        Open files that stay open as long as anything of the tree lives (locks).
    """

    def __init__(
        self,
        box: sandbox.Box,
        argv: Sequence[str],
        *,
        console: Path,
        event_fd: int | None = None,
        keep_fds: tuple[int, ...] = (),
        mode: sandbox.Mode | None = None,
    ) -> None:
        self.mode: sandbox.Mode = mode or sandbox.mode()
        environment = sandbox.environment(box)
        if event_fd is not None:
            environment["DEEPSEEK_EVENT_FD"] = str(event_fd)
        with console.open("ab") as output:
            self._process = subprocess.Popen(
                sandbox.command(box, argv, self.mode),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                cwd=box.folder,
                start_new_session=True,
                pass_fds=keep_fds if event_fd is None else (event_fd, *keep_fds),
            )
        assert self._process.stdin is not None
        self._stdin = self._process.stdin.fileno()
        os.set_blocking(self._stdin, False)
        self._tree = psutil.Process(self._process.pid)
        self._usage = TreeUsage()

    @property
    def pid(self) -> int:
        """Process id of the outermost process of the tree."""
        return self._process.pid

    def poll(self) -> int | None:
        """Exit code, or None while it lives; a death by signal n is 128 + n."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def wait(self, timeout_s: float) -> int | None:
        """Exit code, or None when it still lives after that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.poll()

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one JSON line to the child.

        Raises
        ------
        ChildStuck
            When it does not read for ten seconds. A child that has gone is no error: its exit is seen elsewhere.
        """
        data = memoryview(json.dumps(message).encode() + b"\n")
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while data:
            try:
                data = data[os.write(self._stdin, data) :]
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ChildStuck("the process does not read its answers") from None
                select.select([], [self._stdin], [], 0.2)
            except (BrokenPipeError, OSError):
                return

    def terminate(self) -> None:
        """Ask the innermost process to stop in good order (SIGTERM)."""
        for process in self._main_processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole tree now, and wait until it is gone."""
        if self._process.poll() is None:
            inner = self._descendants()
            gentle = self.mode != "bubblewrap"  # the guard kills what escaped its session
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM if gentle else signal.SIGKILL)
            if gentle:
                self.wait(4)
            for process in inner:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process.wait()
        self.close()

    def close(self) -> None:
        """Close our end of its standard input."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def usage(self) -> Usage:
        """Processor (since the last call), memory, disk and network of the whole tree."""
        return self._usage.measure(self._descendants())

    def _descendants(self) -> list[psutil.Process]:
        try:
            return self._tree.children(recursive=True)
        except psutil.Error:
            return []

    def _main_processes(self) -> list[psutil.Process]:
        """Below bwrap stands its own init, below that the interpreter; below the guard the interpreter."""
        depth = 2 if self.mode == "bubblewrap" else 1
        level = [self._tree]
        for _ in range(depth):
            below: list[psutil.Process] = []
            for process in level:
                with contextlib.suppress(psutil.Error):
                    below += process.children()
            level = below
        return level
