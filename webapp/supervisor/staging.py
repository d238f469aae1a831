"""The folder of one run, and what passes between it and the workspace's store.

Called by :mod:`webapp.supervisor.attempt`. The child may write ``box`` as it likes, so nothing in there is opened by
a path that it could have turned into a link, and a file counts only when its bytes have the hash it is named by.
What goes in is linked from ``staged``, which the child sees read-only: no byte is copied and none can be changed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from webapp.artifacts import store
from webapp.bridge import is_manifest
from webapp.supervisor import sandbox
from webapp.supervisor.eventfile import ProtocolError

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_DEPTH = 64
LOCK_TIMEOUT_S = 15.0


class RunFolder:
    """Files of one run on this machine.

    ``box`` is the child's; ``staged`` it may read; event files and consoles it never sees.
    """

    def __init__(self, run_id: UUID, workspace_id: UUID, mode: sandbox.Mode, node: int = 0) -> None:
        self.root = runs_root(mode) / (f"{run_id.hex}-{node}" if node else run_id.hex)
        self.box = self.root / "box"
        self.staged = self.root / "staged"
        self._workspace = workspace_id
        self._known: set[str] = set()
        """sha256 of every blob that this run was given or that was taken from it."""

    @contextlib.contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder; the child holds the same lock, so it is free only when the last process is gone.

        Raises
        ------
        TimeoutError
            When processes of an earlier attempt do not go away.
        """
        self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError("an earlier attempt still uses the run's folder") from None
                    time.sleep(0.05)
            yield descriptor
        finally:
            os.close(descriptor)

    def prepare(self, job: Mapping[str, Any], catalog: Mapping[str, Any], profile: bytes = b"{}") -> None:
        """Make the folder ready for an attempt; checkpoints of an earlier one stay."""
        for folder in (self.root, self.box, self.staged):
            folder.mkdir(mode=0o711, exist_ok=True)
        with _Inside(self.box) as inside:
            for name in ("store", "store/blobs", "tmp"):
                inside.folder(name)
            inside.write("job.json", json.dumps(job).encode())
            inside.write("catalog.json", json.dumps(catalog).encode())
            inside.write("profile.json", profile)

    def events(self, epoch: int) -> Path:
        """The event file of an attempt."""
        return self.root / f"events-{epoch}.jsonl"

    def console(self, epoch: int) -> Path:
        """What an attempt printed before or outside its log."""
        return self.root / f"console-{epoch}.txt"

    def stage(self, digest: str) -> None:
        """Let the child read an artifact of the workspace and all that it builds on."""
        with _Inside(self.box) as inside:
            for sha256 in self._blobs_of(digest):
                if sha256 in self._known:
                    continue
                place = self.staged / sha256[:2] / sha256
                if not place.exists():
                    place.parent.mkdir(mode=0o711, exist_ok=True)
                    _link(store.local_blob(sha256), place)
                inside.link(f"store/blobs/{sha256[:2]}", sha256, place)
                self._known.add(sha256)

    def take(self, digest: str) -> None:
        """Bring an artifact that the child made into the workspace's store, or find that it is there.

        Raises
        ------
        ProtocolError
            When a file is missing, is no plain file or has other bytes than its name says.
        """
        with _Inside(self.box) as inside:
            self._take(inside, digest, 0)

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    def give_away(self, uid: int) -> None:
        """Let the box belong to the uid that the child runs as."""
        for path in (self.box, *self.box.rglob("*")):
            sandbox.own(path, uid)

    def _blobs_of(self, digest: str) -> Iterator[str]:
        waiting, seen = [digest], set()
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            manifest = store.manifest(current)
            yield current.removeprefix("sha256:")
            yield from (entry["sha256"] for entry in manifest["files"].values())
            waiting += manifest["refs"]

    def _take(self, inside: _Inside, digest: str, depth: int) -> None:
        sha256 = digest.removeprefix("sha256:")
        if sha256 in self._known:
            return
        if depth > MAX_DEPTH:
            raise ProtocolError("artifacts build on each other without end")
        with inside.open_blob(sha256) as (stream, size):
            if size > MAX_MANIFEST_BYTES:
                raise ProtocolError("a manifest is too large")
            try:
                manifest = json.loads(stream.read(size + 1))
            except (ValueError, RecursionError):
                raise ProtocolError("an artifact has no manifest") from None
            if not is_manifest(manifest):
                raise ProtocolError("an artifact has no manifest")
        for ref in manifest["refs"]:
            self._take(inside, ref, depth + 1)
        for blob, size in [(e["sha256"], e["size"]) for e in manifest["files"].values()] + [(sha256, -1)]:
            self._take_blob(inside, blob, size)
        store.register(self._workspace, digest)

    def _take_blob(self, inside: _Inside, sha256: str, size: int) -> None:
        if sha256 in self._known:
            return
        with inside.open_blob(sha256) as (stream, found):
            if size not in (-1, found):
                raise ProtocolError("a file of an artifact has another size than its manifest says")
            try:
                store.keep_blob(stream, sha256, found)
            except ValueError as error:
                raise ProtocolError(f"a file of an artifact is not what its name says: {error}") from None
        self._known.add(sha256)


class _Inside:
    """Opens what lies in a folder that a hostile process writes: link by link, following none."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def __enter__(self) -> _Inside:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def folder(self, path: str) -> None:
        """Make a folder and those above it."""
        with self._open_folder(path, make=True):
            pass

    def write(self, name: str, data: bytes) -> None:
        """Write a file directly in the root, in place of whatever has the name."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._root)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._root)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)

    def link(self, folder: str, name: str, target: Path) -> None:
        """Put a symbolic link in place of whatever has the name."""
        with self._open_folder(folder, make=True) as parent:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=parent)
            os.symlink(target, name, dir_fd=parent)

    @contextlib.contextmanager
    def open_blob(self, sha256: str) -> Iterator[tuple[Any, int]]:
        """A plain file of the child's store, and its size."""
        try:
            with self._open_folder(f"store/blobs/{sha256[:2]}") as parent:
                # Without O_NONBLOCK a named pipe would hold us for ever.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(sha256, flags, dir_fd=parent)
        except OSError as error:
            raise ProtocolError(f"a file of an artifact cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ProtocolError("a file of an artifact is no plain file")
            yield stream, status.st_size

    @contextlib.contextmanager
    def _open_folder(self, path: str, *, make: bool = False) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.dup(self._root)
        try:
            for part in path.split("/"):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                below = os.open(part, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def runs_root(mode: sandbox.Mode) -> Path:
    """Where the folders of runs lie; another uid must be able to get there."""
    if mode == "uid":
        root = Path("/var/tmp") / f"deepseek-studio-{os.getuid()}"  # noqa: S108  (sticky, and checked below)
        root.mkdir(mode=0o711, exist_ok=True)
        if root.is_symlink() or root.stat().st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "somebody else made this folder", str(root))
    else:
        root = Path(settings.HOME)
    runs = root / "runs"
    runs.mkdir(mode=0o711, parents=True, exist_ok=True)
    return runs


def _link(source: Path, place: Path) -> None:
    """The same file under another name; a copy where the file system cannot do that."""
    try:
        os.link(source, place)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        temporary = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.copyfile(source, temporary)
        temporary.chmod(0o444)
        temporary.replace(place)
