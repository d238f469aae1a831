"""The folder of one studio on this machine, and what lies where in it.

Called by every command that starts or looks at processes. Knows names of files, not what is inside them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deepseek.config import home as default_home
from deepseek.errors import DeepSeekError

#: A unix socket's path has to fit into 107 bytes (``sockaddr_un`` of Linux, less the closing zero).
SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True)
class Home:
    """Where a studio keeps its files.

    Parameters
    ----------
    root
        The folder itself: ``DEEPSEEK_HOME``, or ``~/.deepseek-studio``.

    Examples
    --------
    >>> Home(Path("/srv/studio")).database.name
    'studio.sqlite3'
    """

    root: Path

    @classmethod
    def default(cls) -> Home:
        """The home that the environment names."""
        return cls(default_home().absolute())

    @property
    def run(self) -> Path:
        """Sockets and locks of the running studio; open to its owner only."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.root / "logs"

    @property
    def database(self) -> Path:
        """The default database."""
        return self.root / "studio.sqlite3"

    @property
    def store(self) -> Path:
        """The default artifact store."""
        return self.root / "store"

    @property
    def redis_socket(self) -> Path:
        """Redis listens here and nowhere else.

        A home with a long path gets a folder of its own below the system's folder for temporary files.
        """
        socket = self.run / "redis.sock"
        if len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT:
            return socket
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"deepseek-{os.getuid()}-{name}" / "redis.sock"

    def create(self) -> None:
        """Make the folders; what is there stays.

        Raises
        ------
        DeepSeekError
            When the folder cannot be made, or belongs to somebody else.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.run, self.logs, self.redis_socket.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
                _make_private(folder)
        except OSError as error:
            raise DeepSeekError(
                f"The folder {self.root} cannot be used: {error.strerror or error}",
                hint="Make room or set DEEPSEEK_HOME to a folder that you can write to.",
            ) from error

    @contextmanager
    def locked(self, url: str) -> Iterator[None]:
        """Hold this home for one running studio.

        The lock is the kernel's, so that it ends with the process, however that ends.

        Raises
        ------
        DeepSeekError
            When another studio holds it; says which process and where it answers.
        """
        with (self.run / "lock").open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DeepSeekError(
                    f"A studio already runs on {self.root}{_described(stream.name)}",
                    hint="Open that one, stop it, or set DEEPSEEK_HOME to another folder.",
                ) from None
            stream.truncate(0)
            stream.write(json.dumps({"pid": os.getpid(), "url": url}))
            stream.flush()
            yield

    def is_running(self) -> bool:
        """True while a studio holds this home."""
        path = self.run / "lock"
        if not path.exists():
            return False
        with path.open("a+") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


def _described(lock: str) -> str:
    try:
        holder = json.loads(Path(lock).read_text())
        return f" (process {holder['pid']}, {holder['url']})"
    except (ValueError, KeyError, OSError):
        return ""


def _make_private(folder: Path) -> None:
    """Mode 0700, and ours: a folder of another account is refused, since its owner could swap what is inside."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise DeepSeekError(
            f"{folder} does not belong to you", hint="Remove it or set DEEPSEEK_HOME to another folder."
        )
    folder.chmod(0o700)
