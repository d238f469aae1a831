"""The bytes of artifacts: one store for all workspaces, files named by their hash; rows say who may read them.

Called by supervisors, uploads and downloads. Where the store lies is a setting (``STORE_URL``, any fsspec URL): a
local folder is used in place, anything else through a cache folder. Nothing is believed to have the hash it is
named by until it was computed here. What is kept again counts as new, so that nobody sweeps it away beneath the
row that will follow (:mod:`webapp.artifacts.sweep`).
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit
from uuid import UUID

import fsspec
from django.conf import settings

from webapp.artifacts.models import Artifact
from webapp.bridge import UserError, canonical_json, is_manifest

CHUNK = 2**20
MAX_MANIFEST_BYTES = 16 * 2**20
LOCK = "sweep.lock"


def local_blob(sha256: str) -> Path:
    """A local file with these bytes. Link or read it, never write it.

    Raises
    ------
    UserError
        When the store has no such blob.
    """
    path = _folder() / sha256[:2] / sha256
    if not path.exists():
        remote = _remote()
        if remote is None or not remote[0].exists(f"{remote[1]}/{sha256[:2]}/{sha256}"):
            raise UserError("A file of this artifact is not here any more", hint="Run the block that made it again.")
        with remote[0].open(f"{remote[1]}/{sha256[:2]}/{sha256}", "rb") as stream:
            _write(stream, sha256)
    return path


def keep_blob(stream: BinaryIO, sha256: str, size: int) -> None:
    """Copy bytes into the store.

    Raises
    ------
    ValueError
        When they are others than the hash and the size say.
    """
    path = _folder() / sha256[:2] / sha256
    if path.exists() and _hash(stream) != (sha256, size):
        raise ValueError("the bytes do not have this hash")
    if _touch(path):
        return
    stream.seek(0)
    _write(stream, sha256, size)
    remote = _remote()
    if remote is not None:
        remote[0].put_file(str(path), f"{remote[1]}/{sha256[:2]}/{sha256}")


def files() -> Iterator[Path]:
    """Every file of the local store: blobs, and beginnings of blobs that were never finished."""
    return _folder().glob("[0-9a-f][0-9a-f]/*")


def is_remote() -> bool:
    """True when the store is no folder of this machine."""
    return _remote() is not None


@contextlib.contextmanager
def removing() -> Iterator[bool]:
    """Hold the store so that nothing in it is found while it is removed; False when somebody reads all of it."""
    with _lock() as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def keep_file(path: Path) -> tuple[str, int]:
    """Copy a local file into the store; its hash and size."""
    with path.open("rb") as stream:
        sha256, size = _hash(stream)
        stream.seek(0)
        keep_blob(stream, sha256, size)
    return sha256, size


def put(workspace_id: UUID, kind: str, files: Mapping[str, Path], meta: Mapping[str, Any]) -> Artifact:
    """Make an artifact of local files; the digest is the one that the engine would give it."""
    entries = {}
    for name, path in files.items():
        sha256, size = keep_file(path)
        entries[name] = {"sha256": sha256, "size": size}
    text = canonical_json({"kind": kind, "files": entries, "meta": dict(meta), "refs": []})
    sha256 = hashlib.sha256(text).hexdigest()
    with tempfile.SpooledTemporaryFile(max_size=CHUNK) as stream:
        stream.write(text)
        stream.seek(0)
        keep_blob(stream, sha256, len(text))  # type: ignore[arg-type]  # a spooled file reads like any
    return register(workspace_id, f"sha256:{sha256}")


def manifest(digest: str) -> dict[str, Any]:
    """The manifest of an artifact, checked for its shape."""
    path = local_blob(digest.removeprefix("sha256:"))
    value: Any = json.loads(path.read_bytes()) if path.stat().st_size <= MAX_MANIFEST_BYTES else None
    if not is_manifest(value):
        raise UserError("{digest} is a file, not an artifact", digest=digest[:19])
    found: dict[str, Any] = value
    return found


def register(workspace_id: UUID, digest: str) -> Artifact:
    """Let a workspace own an artifact, and those it builds on, whose bytes are in the store."""
    body = manifest(digest)
    for ref in body["refs"]:
        register(workspace_id, ref)
    size = sum(entry["size"] for entry in body["files"].values())
    row, _ = Artifact.objects.get_or_create(
        workspace_id=workspace_id,
        digest=digest,
        defaults={"kind": body["kind"], "meta": body["meta"], "size": size},
    )
    return row


def owned(workspace_id: UUID, digest: str) -> bool:
    """True when the workspace may read the artifact."""
    return Artifact.objects.filter(workspace_id=workspace_id, digest=digest).exists()


def _write(stream: BinaryIO, sha256: str, size: int | None = None) -> None:
    digest, found = hashlib.sha256(), 0
    with _place(sha256) as temporary:
        with temporary.open("wb") as copy:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                found += len(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if digest.hexdigest() != sha256 or size not in (None, found):
            raise ValueError("the bytes do not have this hash")


def _touch(path: Path) -> bool:
    """Make a blob new, so that it outlives the next sweep; False when it is not there."""
    if not path.exists():
        return False
    with _lock() as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
    return True


@contextlib.contextmanager
def _lock() -> Iterator[int]:
    """The file whose lock sweeps, uploads and backups share; closing it lets go."""
    descriptor = os.open(_folder() / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _place(sha256: str) -> Iterator[Path]:
    """A temporary file that becomes the blob when the block ends well."""
    folder = _folder() / sha256[:2]
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o444)
        temporary.replace(folder / sha256)
    finally:
        temporary.unlink(missing_ok=True)


def _hash(stream: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _folder() -> Path:
    """Where blobs lie on this machine: the store itself, or the cache before a remote one."""
    parts = urlsplit(settings.STORE_URL)
    root = Path(unquote(parts.path)) if parts.scheme in {"", "file"} else Path(settings.HOME) / "cache" / "store"
    return root / "blobs"


@functools.cache
def _remote_of(url: str) -> tuple[Any, str] | None:
    if urlsplit(url).scheme in {"", "file"}:
        return None
    system, path = fsspec.core.url_to_fs(url)
    return system, f"{path.rstrip('/')}/blobs"


def _remote() -> tuple[Any, str] | None:
    return _remote_of(settings.STORE_URL)
