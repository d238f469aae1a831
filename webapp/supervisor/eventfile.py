"""The file that a child appends its events to: at the same time a pipe that survives the reader's death.

Called by :mod:`webapp.supervisor.attempt`. The database remembers how far it was read (in the transaction that
stored what was read), so after a kill of the worker the next attempt first takes what is still here: nothing
is lost, nothing comes twice. Must not know what the lines mean.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

MAX_LINE_BYTES = 2**20
MAX_BACKLOG_BYTES = 512 * 2**20
READ_BYTES = 4 * 2**20
IN_MODIFY = 0x2
POLL_S = 0.01
_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE


class ProtocolError(ValueError):
    """The child wrote something that no honest child writes."""


class EventFile:
    """Reads whole lines as they are appended.

    Parameters
    ----------
    path
        The file; created when missing. It lies outside the child's walls: the child holds only an open
        file that appends.
    offset
        Where to go on reading.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.writer = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._reader = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._read_at = offset
        self._rest = b""
        self._punched = offset
        self._watch = _watch(path)

    @property
    def offset(self) -> int:
        """How far whole lines have been taken."""
        return self._read_at - len(self._rest)

    def take(self) -> list[bytes]:
        """The whole lines that came since the last call, at most 4 MiB of them.

        Raises
        ------
        ProtocolError
            For a line over 1 MiB, a file that became shorter, or far too much unread.
        """
        size = os.fstat(self._reader).st_size
        if size < self._read_at:
            raise ProtocolError("the event file became shorter")
        if size - self._read_at > MAX_BACKLOG_BYTES:
            raise ProtocolError("events come faster than they can be stored")
        data = os.pread(self._reader, min(READ_BYTES, size - self._read_at), self._read_at)
        if not data:
            return []
        self._read_at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES or any(len(line) > MAX_LINE_BYTES for line in lines):
            raise ProtocolError("an event is longer than 1 MiB")
        return lines

    def has_more(self) -> bool:
        """True when something is there that was not taken yet."""
        return os.fstat(self._reader).st_size > self._read_at

    def wait(self, timeout_s: float) -> None:
        """Sleep until something is appended, or that long."""
        if self.has_more():
            return
        if self._watch is None:
            time.sleep(min(timeout_s, POLL_S))
        elif select.select([self._watch], [], [], timeout_s)[0]:
            with contextlib.suppress(BlockingIOError):
                os.read(self._watch, 65_536)

    def forget(self, offset: int) -> None:
        """Give back the disk space of what is safe in the database; offsets stay as they are."""
        if offset - self._punched >= 16 * 2**20:
            end = offset - offset % 4_096
            _punch(self._reader, self._punched, end - self._punched)
            self._punched = end

    def close_writer(self) -> None:
        """Close our copy of the child's end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Close everything."""
        self.close_writer()
        os.close(self._reader)
        if self._watch is not None:
            os.close(self._watch)

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def remaining_lines(path: Path, offset: int) -> Iterator[tuple[bytes, int]]:
    """(line, offset after it) of what a dead attempt left unread; a torn last line is cut."""
    with contextlib.suppress(FileNotFoundError), EventFile(path, offset) as file:
        at = offset
        while lines := file.take():
            for line in lines:
                at += len(line) + 1
                yield line, at


def _watch(path: Path) -> int | None:
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if descriptor < 0:
            return None
        if libc.inotify_add_watch(descriptor, os.fsencode(path), IN_MODIFY) < 0:
            os.close(descriptor)
            return None
    except AttributeError:
        return None
    return descriptor


def _punch(descriptor: int, start: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # A file system without holes keeps the bytes: harmless.
    libc.fallocate(descriptor, _HOLE, ctypes.c_int64(start), ctypes.c_int64(length))
