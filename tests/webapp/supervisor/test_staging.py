"""What passes between a run's folder and the store: nothing is believed, nothing can be changed behind our back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.webapp.conftest import People
from webapp.artifacts import store
from webapp.artifacts.models import Artifact
from webapp.bridge import ArtifactStore, FileRef
from webapp.supervisor.eventfile import ProtocolError
from webapp.supervisor.staging import RunFolder

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(people: People) -> Iterator[RunFolder]:
    made = RunFolder(uuid4(), people.workspace.id, "off")
    with made.locked():
        made.prepare({"document": {}}, {"blocks": {}})
        yield made
    made.remove()


def make(folder: RunFolder, content: bytes = b"made by a block") -> str:
    """An artifact in the child's own store."""
    return ArtifactStore(folder.box / "store").put(FileRef, files={"content": content}, meta={"filename": "x"}).digest


def blob(folder: RunFolder, digest: str) -> Path:
    return folder.box / "store/blobs" / digest[7:9] / digest[7:]


def file_of(digest: str, folder: RunFolder) -> Path:
    entry = ArtifactStore(folder.box / "store").manifest(digest)["files"]["content"]
    return blob(folder, f"sha256:{entry['sha256']}")


def test_what_a_run_made_is_the_workspaces(folder: RunFolder, people: People) -> None:
    digest = make(folder)
    folder.take(digest)
    assert store.owned(people.workspace.id, digest)
    assert Artifact.objects.get(digest=digest).kind == "file"
    content = store.local_blob(store.manifest(digest)["files"]["content"]["sha256"])
    assert content.read_bytes() == b"made by a block"
    file_of(digest, folder).chmod(0o600)
    file_of(digest, folder).write_bytes(b"changed later")
    assert content.read_bytes() == b"made by a block"


def test_bytes_with_another_hash_are_refused(folder: RunFolder, people: People) -> None:
    digest = make(folder)
    place = file_of(digest, folder)
    place.chmod(0o600)
    place.write_bytes(b"made by a thief")
    with pytest.raises(ProtocolError):
        folder.take(digest)
    assert not store.owned(people.workspace.id, digest)


def test_a_link_to_a_secret_is_not_followed(folder: RunFolder, tmp_path: Path) -> None:
    digest = make(folder)
    place = file_of(digest, folder)
    secret = tmp_path / "secret"
    secret.write_bytes(b"made by a block")  # even with the right bytes
    place.unlink()
    place.symlink_to(secret)
    with pytest.raises(ProtocolError):
        folder.take(digest)


def test_a_folder_that_is_a_link_is_not_followed(folder: RunFolder, tmp_path: Path) -> None:
    digest = make(folder)
    parent = blob(folder, digest).parent
    parent.rename(tmp_path / "moved")
    parent.symlink_to(tmp_path / "moved")
    with pytest.raises(ProtocolError):
        folder.take(digest)


def test_a_pipe_does_not_hold_us(folder: RunFolder) -> None:
    digest = make(folder)
    place = file_of(digest, folder)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(ProtocolError):
        folder.take(digest)


def test_a_file_of_the_store_that_the_run_was_not_given_cannot_be_claimed(folder: RunFolder, people: People) -> None:
    """Knowing the hash of another workspace's file is not enough to read it."""
    other = RunFolder(uuid4(), people.stranger.workspaces.get().id, "off")
    with other.locked():
        other.prepare({}, {})
        digest = make(other, b"the stranger's data")
        other.take(digest)
    other.remove()
    blob(folder, digest).parent.mkdir(exist_ok=True)
    manifest = store.local_blob(digest[7:]).read_bytes()
    blob(folder, digest).write_bytes(manifest)
    with pytest.raises(ProtocolError):
        folder.take(digest)
    assert not store.owned(people.workspace.id, digest)


def test_a_staged_artifact_can_be_read_and_needs_no_copy(folder: RunFolder, people: People) -> None:
    digest = make(folder)
    folder.take(digest)
    second = RunFolder(uuid4(), people.workspace.id, "off")
    with second.locked():
        second.prepare({}, {})
        second.stage(digest)
        ref = ArtifactStore(second.box / "store").open(digest)
        assert ref.read_bytes("content") == b"made by a block"
        assert ref.path("content").resolve().is_relative_to(second.staged.resolve())
        second.take(digest)
    second.remove()
    assert store.local_blob(store.manifest(digest)["files"]["content"]["sha256"]).exists()


def test_staging_into_a_folder_that_the_child_replaced_by_a_link_writes_nothing_elsewhere(
    folder: RunFolder, people: People, tmp_path: Path
) -> None:
    digest = make(folder)
    folder.take(digest)
    second = RunFolder(uuid4(), people.workspace.id, "off")
    with second.locked():
        second.prepare({}, {})
        (second.box / "store/blobs").rename(tmp_path / "blobs")
        (second.box / "store/blobs").symlink_to(tmp_path / "blobs")
        with pytest.raises(OSError, match="Not a directory|symbolic links"):
            second.stage(digest)
    assert not list((tmp_path / "blobs").iterdir())
    second.remove()


def test_two_attempts_never_use_the_folder_at_once(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp.supervisor import staging

    monkeypatch.setattr(staging, "LOCK_TIMEOUT_S", 0.2)
    twin = RunFolder(uuid4(), uuid4(), "off")
    twin.root = folder.root
    with pytest.raises(TimeoutError), twin.locked():
        pass
