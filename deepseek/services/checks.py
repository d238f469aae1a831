"""Whether this machine can start a studio: the port, the disk.

Called by ``deepseek up`` before it starts anything, and by ``doctor``. Each failure is one sentence and a way out.
"""

from __future__ import annotations

import errno
import shutil
import socket
from pathlib import Path

from deepseek.errors import DeepSeekError

#: Below this a run could not even write its first checkpoint.
LEAST_FREE_MIB = 300
#: Below this people should know.
LITTLE_FREE_MIB = 3000


def check_port(host: str, port: int) -> None:
    """Raise `DeepSeekError` when nothing can listen there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, OverflowError) as error:
        raise DeepSeekError(
            f"{host}:{port} is not an address of this machine: {error}", hint="Set HOST and PORT."
        ) from error
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            raise DeepSeekError(
                f"Port {port} of {host} cannot be used: {_why(error)}",
                hint=f"Choose another one, for example: PORT={_another(port)} make up",
            ) from error


def check_disk(folder: Path) -> str | None:
    """Raise `DeepSeekError` when the disk is full; a sentence when it soon will be, else None."""
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < LEAST_FREE_MIB:
        raise DeepSeekError(
            f"The disk that holds {folder} is full: {free_mib} MiB are free and at least {LEAST_FREE_MIB} are needed",
            hint="Make room, or set DEEPSEEK_HOME to a folder on another disk.",
        )
    if free_mib < LITTLE_FREE_MIB:
        return f"Only {free_mib} MiB are free on the disk that holds {folder}."
    return None


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there"
    if error.errno == errno.EACCES:
        return "ports below 1024 are for the administrator"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)


def _another(port: int) -> int:
    return port + 1 if 1024 <= port < 65535 else 8000
