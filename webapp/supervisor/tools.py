"""Short programs on files that somebody sent, inside the same walls as a run.

Called by jobs (inspect an upload, try a model). Must not know databases.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webapp.supervisor import sandbox
from webapp.supervisor.child import Child

LOOK_S = 0.05
LOG_BYTES = 8_192
_numbers = itertools.count(500)


@dataclass(frozen=True)
class ToolResult:
    """How a tool ended."""

    returncode: int
    log_tail: str
    timed_out: bool = False
    out_of_memory: bool = False


def run_tool(argv: Sequence[str], *, folder: Path, timeout_s: float, memory_mib: int = 4_096) -> ToolResult:
    """Run ``python argv`` with nothing writable but ``folder``, no network and no secret.

    Parameters
    ----------
    argv
        Without the interpreter: ``["-m", "engine.inspect", str(folder)]``.
    folder
        Holds its input; it leaves its results there. Believe nothing it left.

    Raises
    ------
    webapp.supervisor.sandbox.SandboxUnavailable
        When no walls can be built here.
    """
    folder = folder.resolve()
    (folder / "tmp").mkdir(exist_ok=True)
    mode = sandbox.mode()
    box = sandbox.Box(
        folder,
        environment={"DEEPSEEK_OFFLINE": "1"},
        limits=sandbox.Limits(memory_mib=memory_mib),
        number=next(_numbers),
    )
    if mode == "uid":
        give_to(folder, box)
    console = folder.with_name(folder.name + ".console")
    child = Child(box, argv, console=console, mode=mode)
    child.close()
    deadline = time.monotonic() + timeout_s
    timed_out = out_of_memory = False
    try:
        while child.wait(LOOK_S) is None:
            timed_out = time.monotonic() > deadline
            out_of_memory = child.usage().memory_mib > memory_mib
            if timed_out or out_of_memory:
                break
    finally:
        child.kill()
        text = tail(console, LOG_BYTES)
        console.unlink(missing_ok=True)
    return ToolResult(child.poll() or 0, text, timed_out, out_of_memory)


def tail(path: Path, size: int) -> str:
    """The last bytes of a text file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - size))
            return stream.read(size).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def give_to(folder: Path, box: sandbox.Box) -> None:
    """Make a folder belong to the uid that a box without bubblewrap runs as."""
    uid = sandbox.FIRST_UID + box.number % sandbox.UIDS
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            sandbox.own(path, uid)
