"""Which encoding a text file has, and its bytes as UTF-8.

Called by the CSV reader. Must not know what the text means.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from engine.errors import UserError

SAMPLE = 1 << 20
CONTROL = re.compile("[\x00-\x08]")
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def detect_encoding(path: Path) -> str:
    """Guess the encoding from byte order marks, zero bytes, and what decodes without an error.

    GB18030 accepts nearly any bytes, so it is only believed when the characters it gives are common ones.

    Returns
    -------
    str
        ``utf-8``, ``utf-16``, ``utf-16-le``, ``utf-16-be``, ``gb18030`` or ``cp1252``.
    """
    with path.open("rb") as stream:
        sample = stream.read(SAMPLE)
    for mark, name in BOMS:
        if sample.startswith(mark):
            return name
    zeros = _utf16_without_mark(sample)
    if zeros:
        return zeros
    if _decodes(path, "utf-8"):
        return "utf-8"
    return "gb18030" if _looks_chinese(sample) else "cp1252"


def _utf16_without_mark(sample: bytes) -> str | None:
    """Text in UTF-16 has a zero in every second byte wherever it is ASCII."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(1, len(sample) // 2)
    if odd > 0.2 * half and even < 0.02 * half:
        return "utf-16-le"
    if even > 0.2 * half and odd < 0.02 * half:
        return "utf-16-be"
    return None


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(SAMPLE):
                decoder.decode(chunk)
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_chinese(sample: bytes) -> bool:
    """True when the non-ASCII characters are nearly all in GB2312, the common set, once decoded as GB18030."""
    decoder = codecs.getincrementaldecoder("gb18030")("strict")
    try:
        text = decoder.decode(sample)
    except UnicodeDecodeError:
        return False
    foreign = [character for character in text if ord(character) > 127]
    common = sum(1 for character in foreign if _in_gb2312(character))
    return bool(foreign) and common >= 0.9 * len(foreign)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def to_utf8(path: Path, encoding: str, target: Path) -> Path:
    """Write the file to ``target`` as UTF-8 without a byte order mark.

    Raises
    ------
    UserError
        When the bytes are not text in this encoding; names the place of the first that is not.
    """
    source = "utf-8-sig" if encoding == "utf-8" and starts_with_mark(path) else encoding
    decoder = codecs.getincrementaldecoder(source)("strict")
    done = 0
    with path.open("rb") as stream, target.open("wb") as out:
        while True:
            chunk = stream.read(SAMPLE)
            text = _decode(decoder, chunk, done, encoding)
            if CONTROL.search(text):
                raise UserError(
                    "This is not a text file: it has control characters near byte {byte}",
                    field="file",
                    hint="Upload CSV, Excel (.xlsx) or Parquet. If it is text, set the encoding.",
                    byte=done,
                )
            done += len(chunk)
            out.write(text.encode())
            if not chunk:
                return target


def starts_with_mark(path: Path) -> bool:
    """True when the file starts with the byte order mark of UTF-8."""
    with path.open("rb") as stream:
        return stream.read(3) == codecs.BOM_UTF8


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, done: int, encoding: str) -> str:
    try:
        return decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        raise UserError(
            "The file is not text in {encoding}: byte {byte} does not belong there",
            field="encoding",
            hint="Set the encoding to what the file was saved in, or save it again as UTF-8.",
            encoding=encoding,
            byte=done + error.start,
        ) from None
