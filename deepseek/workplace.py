"""Where a run in this process works, and how Ctrl-C stops it.

Called by ``deepseek.local`` around a run. Must not know what runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Stop = Callable[[], Any]


@contextlib.contextmanager
def interruptible(cancelled: type[BaseException]) -> Iterator[Stop]:
    """Turn the first Ctrl-C into a clean stop; a second one interrupts as usual.

    Yields
    ------
    callable
        Answers the error to stop with, or None.
    """
    asked = threading.Event()

    def stop() -> BaseException | None:
        return cancelled() if asked.is_set() else None

    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield stop
        return

    def handle(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before or signal.default_int_handler)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


@contextlib.contextmanager
def work_folder(root: Path, run_digest: str) -> Iterator[Path]:
    """The folder of checkpoints of this run: the same run finds them again, two at a time do not share them."""
    root.mkdir(parents=True, exist_ok=True)
    name = run_digest.removeprefix("sha256:")[:24]
    with (root / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with tempfile.TemporaryDirectory(dir=root) as folder:
                yield Path(folder)
            return
        folder_of_run = root / name
        folder_of_run.mkdir(exist_ok=True)
        yield folder_of_run
