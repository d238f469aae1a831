"""Zip files from strangers: checked as a whole before anything in them is read, and never unpacked to disk.

Called by the image reader and the Excel reader. Must not know what the files are for.
"""

from __future__ import annotations

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import UserError

IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
UTF8_FLAG = 0x800
ENCRYPTED_FLAG = 0x1
ALWAYS_ALLOWED_BYTES = 64 << 20
CHUNK = 1 << 16
MIXED = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still a data set and no longer a bomb.

    Attributes
    ----------
    files
        Most entries.
    total_bytes, file_bytes
        Most bytes when unpacked, of all files together and of one.
    ratio
        Most times that the whole grows when unpacked; small archives may grow more.
    """

    files: int = 2_000_000
    total_bytes: int = 64 << 30
    file_bytes: int = 256 << 20
    ratio: float = 100.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a checked archive: its readable path and how to find it."""

    path: str
    info: zipfile.ZipInfo


def check_zip(path: Path, limits: Limits | None = None) -> list[Entry]:
    """The files of an archive, in the order of their paths.

    The whole archive is refused when one entry is unsafe: whoever made such an archive made no data set.

    Raises
    ------
    UserError
        When it is no zip, is encrypted, has an entry that is absolute, climbs with ``..``, is a link or a device, or
        comes twice, or when it would unpack to more than the limits.
    """
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, UnicodeDecodeError) as error:
        raise UserError(
            "This is not a zip file that can be read: {problem}",
            field="file",
            hint="Make the zip again, and check that the upload was complete.",
            problem=str(error)[:200],
        ) from None
    _check_size(infos, path.stat().st_size, limits)
    entries: dict[str, Entry] = {}
    for info in infos:
        name = readable_name(info)
        _check_entry(info, name)
        key = name.rstrip("/").casefold()
        if info.is_dir() or _is_ignored(name):
            continue
        if key in entries:
            raise UserError(
                "The zip has {name} twice", field="file", hint="Make the zip again from one folder.", name=name
            )
        entries[key] = Entry(name, info)
    return sorted(entries.values(), key=lambda entry: entry.path)


def _check_size(infos: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    total = sum(info.file_size for info in infos)
    if len(infos) > limits.files:
        raise UserError(
            "The zip has {count} files, more than {limit}",
            field="file",
            hint="Split it into several zips.",
            count=len(infos),
            limit=limits.files,
        )
    grown = total > ALWAYS_ALLOWED_BYTES and total > limits.ratio * max(1, packed)
    if total > limits.total_bytes or grown:
        raise UserError(
            "The zip has {packed} MiB and would unpack to {total} MiB: it was not opened",
            field="file",
            hint="A zip of images unpacks to about its own size. Make it again with the images only.",
            packed=round(packed / 2**20, 1),
            total=round(total / 2**20, 1),
        )


def _check_entry(info: zipfile.ZipInfo, name: str) -> None:
    mode = info.external_attr >> 16
    if not name or any(ord(character) < 32 for character in name):
        problem = "The zip was refused: the name {name} has control characters"
    elif name.startswith("/") or name[1:2] == ":":
        problem = "The zip was refused: the path {name} is absolute"
    elif ".." in PurePosixPath(name).parts:
        problem = "The zip was refused: the path {name} leaves the folder"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "The zip was refused: {name} is a link or a device"
    elif info.flag_bits & ENCRYPTED_FLAG:
        problem = "The zip was refused: {name} is locked with a password"
    else:
        return
    raise UserError(
        problem, field="file", hint="Make the zip again from a folder that holds only plain files.", name=name[:120]
    )


def readable_name(info: zipfile.ZipInfo) -> str:
    """The path of an entry with ``/``; names that Windows wrote in GBK are read as such.

    A zip that does not say its names are UTF-8 has them in cp437 by the standard, and in the language of the person's
    Windows in life.
    """
    name = info.orig_filename.replace("\\", "/")
    if info.flag_bits & UTF8_FLAG or name.isascii():
        return name
    raw = name.encode("cp437", errors="replace")
    for encoding in ("utf-8", "gb18030") if _is_surely_utf8(raw) else ("gb18030", "utf-8"):
        try:
            return raw.decode(encoding).replace("\\", "/")
        except UnicodeDecodeError:
            continue
    return name


def _is_surely_utf8(raw: bytes) -> bool:
    """True for UTF-8 of three bytes a character, and for letters with accents among ASCII letters.

    Two bytes may be one Chinese character or one accented letter: only what stands beside it tells.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return any(ord(character) >= 0x800 for character in text) or MIXED.search(raw) is not None


def _is_ignored(name: str) -> bool:
    return (
        name.startswith(IGNORED[0])
        or "/__MACOSX/" in name
        or PurePosixPath(name).name.startswith("._")
        or (PurePosixPath(name).name in IGNORED)
    )


def read_entry(archive: zipfile.ZipFile, entry: Entry, limit: int) -> bytes:
    """The bytes of one file; never more than ``limit``, whatever the archive says of its size.

    Raises
    ------
    ValueError
        When it is longer, or damaged.
    """
    parts = []
    size = 0
    try:
        with archive.open(entry.info) as stream:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise ValueError(f"larger than {limit // 2**20} MiB")
                parts.append(chunk)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise ValueError(f"damaged: {error}") from error
    return b"".join(parts)
