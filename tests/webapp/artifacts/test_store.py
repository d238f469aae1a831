"""The store believes no hash that it has not computed."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import pytest

from tests.webapp.support import make_artifact
from webapp.artifacts import store
from webapp.artifacts.models import Artifact
from webapp.bridge import ArtifactStore, FileRef, UserError

pytestmark = pytest.mark.django_db


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_upload_has_the_digest_that_the_engine_gives_it(people: Any, tmp_path: Any) -> None:
    row = make_artifact(people.workspace, tmp_path, content=b"age\n1\n")

    engine = ArtifactStore(tmp_path / "engine")
    ref = engine.put(FileRef, files={"content": b"age\n1\n"}, meta={"filename": "a file.csv"})

    assert row.digest == ref.digest


@pytest.mark.parametrize("size", [0, 5, 7])
def test_bytes_with_another_size_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="do not have this hash"):
        store.keep_blob(io.BytesIO(b"hello!"), sha256(b"hello!"), size)


def test_bytes_with_another_hash_are_refused_and_leave_nothing() -> None:
    wanted = sha256(b"wanted")

    with pytest.raises(ValueError, match="do not have this hash"):
        store.keep_blob(io.BytesIO(b"others"), wanted, 6)
    with pytest.raises(UserError):
        store.local_blob(wanted)


def test_a_known_hash_does_not_let_other_bytes_pass() -> None:
    store.keep_blob(io.BytesIO(b"known"), sha256(b"known"), 5)

    with pytest.raises(ValueError, match="do not have this hash"):
        store.keep_blob(io.BytesIO(b"other"), sha256(b"known"), 5)
    assert store.local_blob(sha256(b"known")).read_bytes() == b"known"


def test_kept_bytes_cannot_be_written_to() -> None:
    store.keep_blob(io.BytesIO(b"kept"), sha256(b"kept"), 4)

    assert store.local_blob(sha256(b"kept")).stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"kind":"x","files":{"../x":{}},"meta":{},"refs":[]}'])
def test_what_is_no_manifest_is_no_artifact(people: Any, text: bytes) -> None:
    store.keep_blob(io.BytesIO(text), sha256(text), len(text))

    with pytest.raises(UserError):
        store.register(people.workspace.pk, f"sha256:{sha256(text)}")
    assert not Artifact.objects.exists()


def test_registering_a_view_registers_what_it_builds_on(people: Any, tmp_path: Any) -> None:
    base = make_artifact(people.stranger.workspaces.get(), tmp_path, content=b"base")
    text = json.dumps(
        {"kind": "dataset", "files": {}, "meta": {}, "refs": [base.digest]}, sort_keys=True, separators=(",", ":")
    ).encode()
    store.keep_blob(io.BytesIO(text), sha256(text), len(text))

    store.register(people.workspace.pk, f"sha256:{sha256(text)}")

    assert store.owned(people.workspace.pk, base.digest)


def test_a_remote_store_is_filled_and_read_through_a_cache(people: Any, tmp_path: Any, settings: Any) -> None:
    settings.STORE_URL = "memory://bucket/store"
    settings.HOME = tmp_path
    row = make_artifact(people.workspace, tmp_path, content=b"far away")
    blob = store.manifest(row.digest)["files"]["content"]["sha256"]
    cached = store.local_blob(blob)
    cached.unlink()

    assert store.local_blob(blob).read_bytes() == b"far away"
    assert cached.exists()
