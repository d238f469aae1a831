"""What a tree of processes uses: processor, memory, disk and network.

Called by :class:`webapp.supervisor.child.Child`. Must not know runs, databases or Django.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """What a child's whole tree uses now, and what it has moved since it was first looked at."""

    cpu_percent: float
    memory_mib: float
    processes: int
    read_bytes: int | None = None
    """From disks; None where this system does not count them by process."""
    written_bytes: int | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None


class TreeUsage:
    """Measures one tree again and again; a process that ended keeps counting with what it had moved."""

    def __init__(self) -> None:
        self._seen: dict[int, psutil.Process] = {}
        self._moved: dict[int, tuple[int, int]] = {}
        self._read = 0
        self._written = 0

    def measure(self, processes: Iterable[psutil.Process]) -> Usage:
        """Usage of these processes; the processor's share is that since the last call."""
        cpu = memory = 0.0
        alive: dict[int, psutil.Process] = {}
        counts_disk = False
        for process in processes:
            process = self._seen.get(process.pid, process)
            with contextlib.suppress(psutil.Error):
                cpu += process.cpu_percent()
                used = process.memory_info()
                memory += used.rss - used.shared
                alive[process.pid] = process
            with contextlib.suppress(psutil.Error, AttributeError, OSError):  # macOS has no such counters
                self._count_disk(process)
                counts_disk = True
        self._seen = alive
        received, sent = network_bytes(alive)
        return Usage(
            cpu,
            memory / 2**20,
            len(alive),
            self._read if counts_disk else None,
            self._written if counts_disk else None,
            received,
            sent,
        )

    def _count_disk(self, process: psutil.Process) -> None:
        now = process.io_counters()
        read, written = self._moved.get(process.pid, (0, 0))
        self._read += max(0, now.read_bytes - read)
        self._written += max(0, now.write_bytes - written)
        self._moved[process.pid] = (now.read_bytes, now.write_bytes)


def network_bytes(pids: Iterable[int]) -> tuple[int | None, int | None]:
    """Received and sent bytes as the processes see them.

    Inside walls with a network of their own that is what they say to each other (the ranks of a training); else the
    machine's network, without the traffic that stays on it.
    """
    try:
        ours = Path("/proc/self/ns/net").readlink()
    except OSError:
        return None, None
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            if Path(f"/proc/{pid}/ns/net").readlink() != ours:
                return _sum_interfaces(f"/proc/{pid}/net/dev", with_loopback=True)
    with contextlib.suppress(OSError, ValueError):
        return _sum_interfaces("/proc/self/net/dev", with_loopback=False)
    return None, None


def _sum_interfaces(path: str, *, with_loopback: bool) -> tuple[int, int]:
    with open(path) as stream:
        return sum_interfaces(stream.read(), with_loopback=with_loopback)


def sum_interfaces(text: str, *, with_loopback: bool) -> tuple[int, int]:
    r"""Received and sent bytes in a ``/proc/net/dev``.

    >>> head = "Inter-|   Receive\n face |bytes\n"
    >>> sum_interfaces(head + "lo: 5 0 0 0 0 0 0 0 5 0\neth0: 70 0 0 0 0 0 0 0 9 0\n", with_loopback=False)
    (70, 9)
    """
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if with_loopback or name.strip() != "lo":
            fields = numbers.split()
            received += int(fields[0])
            sent += int(fields[8])
    return received, sent
