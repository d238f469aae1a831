"""Zips from strangers: what is refused, and that what is accepted stays inside."""

import io
import stat
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.datasets.archives import Limits, check_zip, read_entry
from engine.errors import UserError


def entry(name: str, mode: int = 0, utf8: bool = True) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = mode << 16
    return info


def zipped(path: Path, *files: tuple[zipfile.ZipInfo | str, bytes], compress: bool = False) -> Path:
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        for info, content in files:
            archive.writestr(info, content)
    return path


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../evil.png", 0, "leaves the folder"),
        ("a/../../evil.png", 0, "leaves the folder"),
        ("..\\evil.png", 0, "leaves the folder"),
        ("/etc/passwd", 0, "is absolute"),
        ("C:\\evil.png", 0, "is absolute"),
        ("a/link.png", stat.S_IFLNK | 0o777, "is a link or a device"),
        ("a/null", stat.S_IFCHR | 0o666, "is a link or a device"),
        ("a/pipe", stat.S_IFIFO | 0o666, "is a link or a device"),
        ("a/b\n.png", 0, "control characters"),
    ],
)
def test_an_unsafe_entry_refuses_the_whole_zip_by_name(tmp_path: Path, name: str, mode: int, words: str) -> None:
    path = zipped(tmp_path / "z.zip", (entry("ok/1.png"), b"1"), (entry(name, mode), b"2"))
    with pytest.raises(UserError, match=words) as caught:
        check_zip(path)
    assert caught.value.field == "file"
    assert caught.value.hint


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_path_twice_is_refused_also_in_another_case(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="twice"):
        check_zip(zipped(tmp_path / "a.zip", ("a/1.png", b"1"), ("a/1.png", b"2")))
    with pytest.raises(UserError, match="twice"):
        check_zip(zipped(tmp_path / "b.zip", ("a/1.png", b"1"), ("A/1.PNG", b"2")))


def test_ten_gigabytes_of_zeros_are_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    block = bytes(1 << 20)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("zeros.png", "w", force_zip64=True) as stream,
    ):
        for _ in range(100):
            stream.write(block)
    content = path.read_bytes().replace((100 << 20).to_bytes(4, "little"), b"\xff" * 4)
    with pytest.raises(UserError, match="it was not opened"):
        check_zip(path)
    # The same with a stated size of 4 GiB, as an archive of 10 GB of zeros would state it.
    path.write_bytes(content)
    with pytest.raises(UserError):
        check_zip(path)


def test_a_stated_size_that_lies_does_not_help(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", ("a/1.png", bytes(3 << 20)), compress=True)
    entries = check_zip(path, Limits(ratio=1e9))
    with zipfile.ZipFile(path) as archive, pytest.raises(ValueError, match="larger than 1 MiB"):
        read_entry(archive, entries[0], 1 << 20)


def test_limits_on_files_and_bytes_hold(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", *((f"a/{i}.png", b"1234") for i in range(5)))
    with pytest.raises(UserError, match="5 files, more than 4"):
        check_zip(path, Limits(files=4))
    with pytest.raises(UserError, match="it was not opened"):
        check_zip(path, Limits(total_bytes=19))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"\0" * 40, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_gets_a_clear_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "z.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a zip file"):
        check_zip(path)


def test_names_that_windows_wrote_in_gbk_are_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", ("XXXX/1.png", b"1"))
    path.write_bytes(path.read_bytes().replace(b"XXXX/", "小猫".encode("gb18030") + b"/"))
    assert [found.path for found in check_zip(path)] == ["小猫/1.png"]


def test_names_in_utf8_that_do_not_say_so_are_read(tmp_path: Path) -> None:
    for name in ("Crème", "小猫们"):
        raw = name.encode()
        path = zipped(tmp_path / "z.zip", ("X" * len(raw) + "/1.png", b"1"))
        path.write_bytes(path.read_bytes().replace(b"X" * len(raw), raw))
        assert [found.path for found in check_zip(path)] == [f"{name}/1.png"]


def test_what_a_mac_adds_is_left_out(tmp_path: Path) -> None:
    path = zipped(tmp_path / "z.zip", ("a/1.png", b"1"), ("__MACOSX/a/._1.png", b"2"), ("a/.DS_Store", b"3"))
    assert [found.path for found in check_zip(path)] == ["a/1.png"]


NAMES = st.text(st.sampled_from("ab./\\:~\0\n猫 "), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(NAMES, st.binary(max_size=20), min_size=1, max_size=4), mode=st.integers(0, 0o177777))
def test_any_zip_is_refused_or_lists_only_paths_inside(tmp_path: Path, files: dict[str, bytes], mode: int) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(entry(name, mode), content)
    path = tmp_path / "h.zip"
    path.write_bytes(stream.getvalue())
    try:
        found = check_zip(path)
    except UserError:
        return
    for one in found:
        parts = PurePosixPath(one.path).parts
        assert ".." not in parts
        assert not one.path.startswith("/")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_zip_never_ends_in_another_error(tmp_path: Path, data: st.DataObject) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", b"one" * 50)
        archive.writestr("b/2.png", b"two" * 50)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "d.zip"
    path.write_bytes(content)
    try:
        entries = check_zip(path)
        with zipfile.ZipFile(path) as archive:
            for one in entries:
                read_entry(archive, one, 1 << 20)
    except (UserError, ValueError):
        pass
