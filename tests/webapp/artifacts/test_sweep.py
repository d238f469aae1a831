"""The store gives back what nothing needs, and never anything else."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import override_settings

from tests.webapp.support import make_artifact
from webapp.artifacts import store
from webapp.artifacts.models import Artifact
from webapp.artifacts.sweep import GRACE_S, sweep
from webapp.bridge import canonical_json

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path) -> Any:
    """A store of this test's own."""
    with override_settings(STORE_URL=(tmp_path / "store").as_uri()):
        yield


def keep(content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    store.keep_blob(io.BytesIO(content), sha256, len(content))
    return sha256


def grow_old() -> None:
    """As if nobody had touched the store for longer than the grace."""
    long_ago = time.time() - GRACE_S - 60
    for path in store.files():
        os.utime(path, (long_ago, long_ago))


def names() -> set[str]:
    return {path.name for path in store.files()}


def test_what_no_row_reaches_goes_after_the_grace(people: Any, tmp_path: Path) -> None:
    make_artifact(people.workspace, tmp_path, content=b"age\n1\n")
    needed = names()
    lost = keep(b"left by a run that was killed")
    beginning = next(iter(store.files())).parent / ".new-abc"
    beginning.write_bytes(b"half a file")

    assert sweep() == 0
    assert {lost, ".new-abc"} < names()
    grow_old()
    assert sweep() == 2
    assert names() == needed


def test_what_an_artifact_builds_on_stays(people: Any, tmp_path: Path) -> None:
    base = make_artifact(people.workspace, tmp_path, content=b"pixels")
    body = {"kind": "images", "files": {}, "meta": {}, "refs": [base.digest]}
    view = f"sha256:{keep(canonical_json(body))}"
    store.register(people.workspace.pk, view)
    Artifact.objects.filter(digest=base.digest).delete()
    grow_old()

    assert sweep() == 0
    assert store.manifest(base.digest)["kind"] == "file"


def test_bytes_that_are_kept_again_outlive_the_next_sweep() -> None:
    content = b"uploaded a second time, its row comes in a moment"
    sha256 = keep(content)
    grow_old()
    keep(content)

    assert sweep() == 0
    assert store.local_blob(sha256).read_bytes() == content


def test_bytes_that_are_kept_again_while_a_sweep_looks_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp.artifacts import sweep as module

    content = b"kept again after the list was made"
    sha256 = keep(content)
    grow_old()

    def needed() -> set[bytes]:
        keep(content)
        return set()

    monkeypatch.setattr(module, "_needed", needed)
    assert sweep() == 0
    assert store.local_blob(sha256).exists()


def test_a_folder_of_a_run_keeps_what_it_was_given(people: Any, tmp_path: Path) -> None:
    from webapp.supervisor.staging import RunFolder

    artifact = make_artifact(people.workspace, tmp_path, content=b"the run reads this")
    folder = RunFolder(artifact.pk, people.workspace.pk, "bubblewrap")
    folder.prepare({}, {})
    folder.stage(artifact.digest)
    Artifact.objects.all().delete()
    grow_old()

    assert sweep() == 2
    assert {path.read_bytes() for path in folder.staged.rglob("*") if path.is_file()} >= {b"the run reads this"}
    folder.remove()


def test_nothing_goes_while_a_backup_reads_the_store() -> None:
    sha256 = keep(b"nothing needs this")
    grow_old()
    with (next(iter(store.files())).parent.parent / store.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert sweep() == 0
    assert names() == {sha256}
    assert sweep() == 1


def test_a_damaged_manifest_stops_the_sweep_instead_of_freeing_its_files(people: Any, tmp_path: Path) -> None:
    artifact = make_artifact(people.workspace, tmp_path, content=b"age\n1\n")
    manifest = store.local_blob(artifact.digest.removeprefix("sha256:"))
    manifest.chmod(0o600)
    manifest.write_bytes(b"{")
    grow_old()

    before = names()
    assert sweep() == 0
    assert names() == before
