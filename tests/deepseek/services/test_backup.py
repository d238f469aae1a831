"""Backup and restore of a home with SQLite, without a running studio."""

from __future__ import annotations

import fcntl
import hashlib
import io
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from deepseek.errors import DeepSeekError, UsageError
from deepseek.services import backup
from deepseek.services.backup import Places
from deepseek.services.databases import Sqlite
from deepseek.services.home import Home

BLOBS = [b"weights", b"labels" * 1000, b""]


def make_places(root: Path) -> Places:
    home = Home(root)
    home.create()
    return Places(home, Sqlite(home.database), home.store.as_uri())


def blob_path(places: Places, content: bytes) -> Path:
    sha256 = hashlib.sha256(content).hexdigest()
    return places.home.store / "blobs" / sha256[:2] / sha256


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A home with a table of 1,000 rows, three blobs and a secret."""
    made = make_places(tmp_path / "home")
    with closing(sqlite3.connect(made.home.database)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, half INTEGER)")
        database.executemany("INSERT INTO runs (half) VALUES (?)", [(n // 2,) for n in range(1000)])
        database.commit()
    for content in BLOBS:
        path = blob_path(made, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (made.home.root / "secret.key").write_text("s" * 48)
    return made


def rows(places: Places) -> int:
    with closing(sqlite3.connect(places.home.database)) as database:
        return int(database.execute("SELECT count(*) FROM runs").fetchone()[0])


def test_a_backup_brings_everything_back_to_an_empty_home(places: Places, tmp_path: Path) -> None:
    saved = backup.save(places, tmp_path / "b.tar")
    other = make_places(tmp_path / "other")
    restored = backup.restore(other, tmp_path / "b.tar", force=False)
    assert saved.blobs == restored.blobs == len(BLOBS)
    assert rows(other) == 1000
    assert all(blob_path(other, content).read_bytes() == content for content in BLOBS)
    assert (other.home.root / "secret.key").read_text() == "s" * 48


def test_only_its_owner_can_read_a_backup(places: Places, tmp_path: Path) -> None:
    backup.save(places, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0


def test_a_backup_beside_a_writer_is_of_one_instant(places: Places, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(places.home.database, timeout=30)) as database:
            while not stop.is_set():
                with database:  # always two rows in one transaction: a torn copy would hold an odd number
                    database.execute("INSERT INTO runs (half) VALUES (-1)")
                    database.execute("INSERT INTO runs (half) VALUES (-1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup.save(places, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        other = make_places(tmp_path / f"other{number}")
        backup.restore(other, tmp_path / f"{number}.tar", force=False)
        assert rows(other) % 2 == 0


def test_a_home_that_holds_something_is_not_replaced_unasked(places: Places, tmp_path: Path) -> None:
    backup.save(places, tmp_path / "b.tar")
    with pytest.raises(DeepSeekError, match="already holds a studio"):
        backup.restore(places, tmp_path / "b.tar", force=False)
    with closing(sqlite3.connect(places.home.database)) as database, database:
        database.execute("DELETE FROM runs")
    backup.restore(places, tmp_path / "b.tar", force=True)
    assert rows(places) == 1000


def test_a_running_studio_is_not_restored_over(places: Places, tmp_path: Path) -> None:
    backup.save(places, tmp_path / "b.tar")
    other = make_places(tmp_path / "other")
    with other.home.locked("http://localhost:1"), pytest.raises(DeepSeekError, match="A studio runs"):
        backup.restore(other, tmp_path / "b.tar", force=True)


def test_a_backup_never_overwrites_a_file(places: Places, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        backup.save(places, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"


def test_a_damaged_blob_of_the_store_is_left_out_and_named(places: Places, tmp_path: Path) -> None:
    blob_path(places, BLOBS[0]).write_bytes(b"rotten")
    summary = backup.save(places, tmp_path / "b.tar")
    assert summary.damaged == [hashlib.sha256(BLOBS[0]).hexdigest()]
    assert summary.blobs == len(BLOBS) - 1


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_backup_is_refused_and_the_database_stays(places: Places, tmp_path: Path, share: float) -> None:
    backup.save(places, tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: int(len(content.rstrip(b"\0")) * share)])
    with pytest.raises(DeepSeekError, match=r"not a complete backup|damaged"):
        backup.restore(places, tmp_path / "cut.tar", force=True)
    assert rows(places) == 1000


def test_a_changed_byte_is_noticed(places: Places, tmp_path: Path) -> None:
    backup.save(places, tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    for part in (b"weights", b"SQLite format 3"):
        at = content.index(part)
        (tmp_path / "bad.tar").write_bytes(content[:at] + b"X" + content[at + 1 :])
        other = make_places(tmp_path / f"other-{at}")
        with pytest.raises(DeepSeekError, match="damaged"):
            backup.restore(other, tmp_path / "bad.tar", force=False)
        assert other.database.is_empty()


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "blobs/../../evil", "secrets/authorized_keys"])
def test_a_foreign_member_is_refused(places: Places, tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"evil"))
    with pytest.raises(DeepSeekError, match="does not belong"):
        backup.restore(make_places(tmp_path / "other"), tmp_path / "evil.tar", force=False)


def test_a_link_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        entry = tarfile.TarInfo("database")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(DeepSeekError, match="does not belong"):
        backup.restore(make_places(tmp_path / "other"), tmp_path / "evil.tar", force=False)


def test_a_text_file_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DeepSeekError, match="not a complete backup"):
        backup.restore(make_places(tmp_path / "other"), tmp_path / "notes.txt", force=False)


def test_a_backup_keeps_the_studio_from_removing_blobs_meanwhile(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = []

    def save_secrets(*_: object) -> None:
        with (places.home.store / "blobs" / "sweep.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                free.append(False)
            else:
                free.append(True)

    monkeypatch.setattr(backup, "_save_secrets", save_secrets)
    backup.save(places, tmp_path / "b.tar")
    assert free == [False]
