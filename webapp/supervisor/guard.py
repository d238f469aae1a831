"""What stands between the worker and a child: run as a script, never imported by the web process.

Called by :mod:`webapp.supervisor.sandbox` as ``python -I -S guard.py {settings} -- argv``. It ties the child's
life to its parent's, sets limits and, where bubblewrap cannot run, changes to another uid and kills every
descendant at the end. Must not import anything outside the standard library: it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
SIOCSIFFLAGS = 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40
CLONE_NEWNET = 0x40000000
CLONE_NEWIPC = 0x08000000


def main(arguments: list[str]) -> int:
    """Set the limits, then become the child (bubblewrap) or watch over it (another uid)."""
    settings: dict[str, Any] = json.loads(arguments[0])
    argv = arguments[2:]
    _die_with_parent(settings["parent"], signal.SIGTERM if settings["watch"] else signal.SIGKILL)
    _limit(settings)
    if not settings["watch"]:
        os.execv(argv[0], argv)  # noqa: S606  (an argument list, no shell)
    return _watch(argv, settings)


def _die_with_parent(parent: int, number: signal.Signals) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os.kill(os.getpid(), signal.SIGKILL)


def _limit(settings: dict[str, Any]) -> None:
    os.umask(0o077)
    for name, value in settings["limits"].items():
        number = getattr(resource, name)
        hard = resource.getrlimit(number)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (wanted, wanted))
    # When memory runs out, the kernel takes a run before it takes the studio.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as stream:
        stream.write("700")


def _watch(argv: list[str], settings: dict[str, Any]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: _end(1))
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _become(libc, settings.get("uid"), bool(settings.get("network")))
        os.execv(argv[0], argv)  # noqa: S606  (an argument list, no shell)
    code = 1
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            break
    _kill_descendants()
    return code if code >= 0 else 128 - code


def _become(libc: ctypes.CDLL, uid: int | None, keeps_network: bool = False) -> None:
    # Best effort: only a capable parent may do this, and probe() reports whether it worked.
    if libc.unshare(CLONE_NEWIPC | (0 if keeps_network else CLONE_NEWNET)) == 0 and not keeps_network:
        _raise_loopback()
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _raise_loopback() -> None:
    """Let processes of the run reach each other, as inside bubblewrap; there is nothing else to reach."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP | IFF_RUNNING))


def _kill_descendants() -> None:
    """Kill until none is left: a descendant that forks faster than we look loses in the end."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        pids = _descendants()
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _descendants() -> list[int]:
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  (pathlib would double the start-up time)
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat") as stream:
                fields = stream.read().rsplit(")", 1)[1].split()
                if fields[0] != "Z":
                    parents[int(name)] = int(fields[1])
    me, found = os.getpid(), []
    for pid in parents:
        ancestor = pid
        while ancestor in parents and ancestor != me:
            ancestor = parents[ancestor]
        if ancestor == me and pid != me:
            found.append(pid)
    return found


def _end(code: int) -> None:
    _kill_descendants()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
