import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.artifacts import ArtifactStore, FileRef, ImagesRef, MetricsRef, TableRef, canonical_json
from engine.errors import UserError


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "store")


def test_equal_content_has_equal_digest_and_is_kept_once(store):
    one = store.put(TableRef, files={"a": b"x", "b": b"y"}, meta={"n": 1})
    two = store.put(TableRef, files={"b": b"y", "a": b"x"}, meta={"n": 1})
    assert one == two
    assert len([p for p in store.root.rglob("*") if p.is_file()]) == 3


def test_meta_and_kind_are_part_of_the_digest(store):
    digests = {
        store.put(TableRef, files={"a": b"x"}).digest,
        store.put(ImagesRef, files={"a": b"x"}).digest,
        store.put(TableRef, files={"a": b"x"}, meta={"n": 1}).digest,
    }
    assert len(digests) == 3


def test_open_gives_the_class_of_the_kind(store):
    assert type(store.open(store.put(ImagesRef, files={}).digest)) is ImagesRef


def test_a_copy_brings_everything_it_builds_on_and_shares_no_inode(store, tmp_path):
    base = store.put(ImagesRef, files={"images.npy": b"pixels"})
    view = store.put(ImagesRef, files={"indices.npy": b"1"}, refs=[base])
    other = ArtifactStore(tmp_path / "other")
    store.copy(view.digest, other)
    copied = other.open(view.digest).refs[0]
    assert copied.read_bytes("images.npy") == b"pixels"
    assert copied.path("images.npy").stat().st_ino != base.path("images.npy").stat().st_ino


def test_verify_finds_a_changed_file(store):
    ref = store.put(FileRef, files={"a.txt": b"one"})
    store.verify(ref.digest)
    ref.path("a.txt").chmod(0o600)
    ref.path("a.txt").write_bytes(b"two")
    with pytest.raises(UserError, match="changed"):
        store.verify(ref.digest)


def test_what_is_missing_is_not_there(store):
    ref = store.put(FileRef, files={"a.txt": b"one"})
    assert store.has(ref.digest)
    ref.path("a.txt").unlink()
    assert not store.has(ref.digest)


@pytest.mark.parametrize(
    "digest", ["", "x", "sha256:../../etc/passwd", "sha256:" + "0" * 64, "sha256:" + "g" * 64, None, 3]
)
def test_a_digest_that_is_none_is_refused(store, digest):
    with pytest.raises(UserError):
        store.open(digest)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", ".hidden", "a//b", "a\\b", "", "a/b/c/d/e"])
def test_a_file_name_cannot_leave_the_artifact(store, name):
    with pytest.raises(ValueError, match="file name"):
        store.put(FileRef, files={name: b""})


def test_a_forged_manifest_cannot_name_paths(store):
    body = {"kind": "file", "files": {"../x": {"sha256": "0" * 64, "size": 1}}, "meta": {}, "refs": []}
    forged = store.put(FileRef, files={"m": canonical_json(body)}).files["m"]["sha256"]
    with pytest.raises(UserError, match="not an artifact"):
        store.open(f"sha256:{forged}")


def test_meta_handed_out_is_a_copy(store):
    ref = store.put(MetricsRef, files={}, meta={"a": [1]})
    ref.meta["a"].append(2)
    assert ref.meta == {"a": [1]}


@given(
    st.recursive(
        st.none() | st.integers(-5, 5) | st.text(max_size=3),
        lambda c: st.lists(c) | st.dictionaries(st.text(max_size=2), c),
    )
)
def test_canonical_json_reads_back_and_is_stable(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text
