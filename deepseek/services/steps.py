"""Show what is being done, how long it may take, and how long it took.

Called by ``deepseek up``. One line a step, so that a log file reads as well as a terminal.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deepseek.errors import DeepSeekError


def say(text: str) -> None:
    """Show one line at once."""
    print(text, flush=True)


@contextmanager
def step(what: str, expected: str = "") -> Iterator[None]:
    """Announce a step and, when it ended well, the time it took.

    Parameters
    ----------
    what
        For example ``"Preparing the database"``.
    expected
        For example ``"a few seconds"``; shown when the step may take long.
    """
    print(f"  {what}{f' ({expected})' if expected else ''} ...", end="", flush=True)
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(flush=True)
        raise
    print(f" {time.monotonic() - started:.1f} s", flush=True)


def call(command: Sequence[str], environment: Mapping[str, str], what: str) -> str:
    """Run a program to its end and return what it wrote.

    Raises
    ------
    DeepSeekError
        When it fails, with the end of its output.
    """
    done = subprocess.run(
        command, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise DeepSeekError(f"{what} failed ({' '.join(command[1:])}):\n{output}\n", hint=_tip(output))
    if done.stderr.strip():
        print(done.stderr.rstrip(), file=sys.stderr)
    return done.stdout


def _tip(output: str) -> str | None:
    if "No space left on device" in output or "disk is full" in output:
        return "The disk is full: make room, or set DEEPSEEK_HOME to a folder on another disk."
    if "ModuleNotFoundError" in output:
        return "A package is missing: run `make install`."
    return None
