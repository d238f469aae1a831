"""Save a studio to one file, also while it runs, and bring it back.

Called by ``deepseek backup`` and ``deepseek restore``. The file is a tar archive::

    database          SQLite file or PostgreSQL dump, of one instant
    secrets/NAME      what sessions and API keys are checked with
    blobs/SHA256      the artifacts' files, each named by what it holds
    backup.json       last: the format, and size and digest of every member

The order makes it consistent: first the database, then the blobs. Blobs never change and those that the snapshot
names were there before it; later ones do no harm. The studio removes no blob in the meantime. A file without its last
member is incomplete and is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from deepseek import __version__
from deepseek.errors import DeepSeekError, UsageError
from deepseek.services import databases, programs
from deepseek.services.home import Home

FORMAT = "deepseek.backup/1"
SECRETS = ("secret.key", "keys.pepper")
CHUNK_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(r"database|backup\.json|secrets/(?:secret\.key|keys\.pepper)|blobs/[0-9a-f]{64}")


@dataclass
class Summary:
    """What was saved or brought back.

    Parameters
    ----------
    blobs
        Number of artifact files.
    size
        All of it, in bytes.
    damaged
        Blobs of the store that do not hold what their name says; left out.
    """

    blobs: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Places:
    """Where a studio keeps what is saved, as its settings say."""

    home: Home
    database: databases.Database
    store_url: str

    @classmethod
    def of(cls, home: Home) -> Places:
        """Ask the web application's settings, which are the one place that reads the environment."""
        home.create()
        code = (
            "import json; from django.conf import settings as s; d = s.DATABASES['default']; "
            "print(json.dumps([[str(d.get(k) or '') for k in ('ENGINE','NAME','USER','PASSWORD','HOST','PORT')], "
            "s.STORE_URL]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=programs.environment(home), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DeepSeekError(f"The settings cannot be read: {done.stderr.strip().splitlines()[-1]}")
        database, store_url = json.loads(done.stdout)
        return cls(home, databases.from_settings(*database), store_url)


def save(places: Places, target: Path) -> Summary:
    """Write a backup; the file appears only when it is complete.

    Raises
    ------
    DeepSeekError
        When the file exists, cannot be written, or the disk is full.
    """
    if target.exists():
        raise UsageError(f"{target} exists", hint="Choose another name: a backup is never overwritten.")
    summary = Summary()
    members: dict[str, Any] = {}
    part = target.with_name(target.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            _no_sweeping(places.store_url),
            os.fdopen(descriptor, "wb") as stream,
            tarfile.open(fileobj=stream, mode="w") as archive,
        ):
            _save_database(archive, places, members)
            _save_secrets(archive, places.home, members)
            _save_blobs(archive, places.store_url, members, summary)
            _finish(archive, places.database.kind, members)
            archive.close()
            stream.flush()
            os.fsync(stream.fileno())
        summary.size = part.stat().st_size
        part.rename(target)
    except OSError as error:
        raise DeepSeekError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return summary


def restore(places: Places, source: Path, *, force: bool) -> Summary:
    """Bring a backup back.

    1. Refuse a studio that runs, or that holds something (unless ``force``).
    2. Read the archive once; write every blob whose digest is right.
    3. Compare with the list at its end.
    4. Only then put secrets and the database in place.

    Raises
    ------
    DeepSeekError
        When the file is not a complete, undamaged backup; the old database is then still there.
    """
    _check_may_restore(places, force=force)
    with tempfile.TemporaryDirectory(dir=places.home.root, prefix="restore-") as folder:
        staging = Path(folder)
        try:
            with tarfile.open(source, mode="r|") as archive:
                members, description, summary = _unpack(archive, staging, places.store_url)
        except (tarfile.TarError, EOFError) as error:
            raise DeepSeekError(f"{source} is not a complete backup: {error}") from error
        except OSError as error:
            raise DeepSeekError(f"{source} cannot be brought back: {error.strerror or error}") from error
        _check_complete(source, description, members, places.database.kind)
        for name in SECRETS:
            if (staging / name).exists():
                (staging / name).replace(places.home.root / name)
        places.database.load(staging / "database")
    summary.size = source.stat().st_size
    return summary


def _save_database(archive: tarfile.TarFile, places: Places, members: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(dir=places.home.run) as folder:
        copy = Path(folder) / "database"
        places.database.save(copy)
        with copy.open("rb") as stream:
            _add(archive, "database", stream, copy.stat().st_size, members)


def _save_secrets(archive: tarfile.TarFile, home: Home, members: dict[str, Any]) -> None:
    for name in SECRETS:
        if (home.root / name).exists():
            content = (home.root / name).read_bytes()
            _add(archive, f"secrets/{name}", io.BytesIO(content), len(content), members)


def _save_blobs(archive: tarfile.TarFile, store_url: str, members: dict[str, Any], summary: Summary) -> None:
    for sha256, path in _stored(store_url):
        with fsspec.open(path, "rb") as stream:
            found = _digest(stream)
        if found != sha256:
            summary.damaged.append(sha256)
            continue
        with fsspec.open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            size = stream.tell()
            stream.seek(0)
            _add(archive, f"blobs/{sha256}", stream, size, members)
        summary.blobs += 1


def _finish(archive: tarfile.TarFile, kind: str, members: dict[str, Any]) -> None:
    description = {
        "format": FORMAT,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": __version__,
        "database": kind,
        "members": members,
    }
    content = json.dumps(description, indent=1).encode()
    _add(archive, "backup.json", io.BytesIO(content), len(content), {})


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes], size: int, members: dict[str, Any]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    reader = _Hashing(stream)
    archive.addfile(entry, reader)
    members[name] = {"size": size, "sha256": reader.digest.hexdigest()}


def _unpack(archive: tarfile.TarFile, staging: Path, store_url: str) -> tuple[dict[str, Any], dict[str, Any], Summary]:
    """Every member by its kind; returns what was found, what the archive says of itself, and a summary."""
    found: dict[str, Any] = {}
    description: dict[str, Any] = {}
    summary = Summary()
    for entry in archive:
        stream = archive.extractfile(entry) if entry.isreg() and _MEMBER.fullmatch(entry.name) else None
        if stream is None:
            raise DeepSeekError(f"The backup holds {entry.name!r}, which does not belong there")
        room, _, name = entry.name.rpartition("/")
        if name == "backup.json":
            description = json.loads(stream.read())
            continue
        if room == "blobs":
            sha256 = _put_blob(store_url, name, stream)
            summary.blobs += 1
        else:
            sha256 = _write(staging / name, stream)
        found[entry.name] = {"size": entry.size, "sha256": sha256}
    return found, description, summary


def _put_blob(store_url: str, sha256: str, stream: IO[bytes]) -> str:
    """Keep a blob under its name, or refuse it; one that is there already is only read past."""
    files, root = fsspec.core.url_to_fs(store_url)
    target = f"{root}/blobs/{sha256[:2]}/{sha256}"
    if files.exists(target):
        return _digest(stream)
    files.makedirs(target.rpartition("/")[0], exist_ok=True)
    reader = _Hashing(stream)
    part = f"{target}.part"
    with files.open(part, "wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
    if (found := reader.digest.hexdigest()) != sha256:
        files.rm(part)
        raise DeepSeekError(f"The file {sha256[:12]} in the backup is damaged: it holds {found[:12]}")
    files.mv(part, target)
    return found


def _check_may_restore(places: Places, *, force: bool) -> None:
    if places.home.is_running():
        raise DeepSeekError(f"A studio runs on {places.home.root}", hint="Stop it first (Ctrl-C).")
    if not force and not (places.database.is_empty() and next(_stored(places.store_url), None) is None):
        raise DeepSeekError(
            f"{places.home.root} already holds a studio",
            hint="Choose an empty folder with DEEPSEEK_HOME, or replace this one's database with --force.",
        )


def _check_complete(source: Path, description: dict[str, Any], members: dict[str, Any], kind: str) -> None:
    if not description:
        raise DeepSeekError(f"{source} is not a complete backup: its list of contents is missing")
    if description.get("format") != FORMAT:
        raise DeepSeekError(
            f"{source} has the format {description.get('format')!r}; this version reads {FORMAT!r}",
            hint="Install the version of the studio that wrote it.",
        )
    if description.get("members") != members or "database" not in members:
        raise DeepSeekError(f"{source} is damaged: its contents are not what its list says")
    if description.get("database") != kind:
        raise DeepSeekError(
            f"{source} holds a {description.get('database')} database and this studio uses {kind}",
            hint="Set DATABASE_URL to a database of that kind.",
        )


def _stored(store_url: str) -> Iterator[tuple[str, str]]:
    """Digest and URL of every blob in the store."""
    files, root = fsspec.core.url_to_fs(store_url)
    if not files.exists(root):
        return
    for path in files.find(root):
        name = str(path).rpartition("/")[2]
        if _SHA256.fullmatch(name):
            yield name, files.unstrip_protocol(path)


@contextlib.contextmanager
def _no_sweeping(store_url: str) -> Iterator[None]:
    """Hold the lock of a local store, under which the web application removes blobs that nothing needs."""
    files, root = fsspec.core.url_to_fs(store_url)
    blobs = Path(root) / "blobs"
    if not isinstance(files, LocalFileSystem) or not blobs.is_dir():
        yield
        return
    descriptor = os.open(blobs / "sweep.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, stream: IO[bytes]) -> str:
    reader = _Hashing(stream)
    with path.open("wb") as target:
        while chunk := reader.read(CHUNK_BYTES):
            target.write(chunk)
    path.chmod(0o600)
    return reader.digest.hexdigest()


def _digest(stream: IO[bytes]) -> str:
    reader = _Hashing(stream)
    while reader.read(CHUNK_BYTES):
        continue
    return reader.digest.hexdigest()


class _Hashing:
    """Reads a stream and hashes what passes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.digest.update(chunk)
        return chunk
