"""Images, rows and texts as numbers, for a model outside of the studio. Needs Python, numpy and nothing else.

Copied into edge packages beside ``run.py``. The same operations as in :mod:`engine.runtime.images`, ``tables`` and
``texts``, which the tests compare.
"""

from __future__ import annotations

import csv
import datetime
import json
import math
import struct
import unicodedata
import zlib
from pathlib import Path
from typing import Any

import numpy as np


def network_input(pixels_NCHW: np.ndarray, operations: list[dict[str, Any]]) -> np.ndarray:
    """Pixels uint8 (N, C, H, W) as the network takes them, float32."""
    x = pixels_NCHW.astype(np.float32)
    for operation in operations:
        if operation["op"] == "colour" and x.shape[1] == 1:
            x = np.repeat(x, operation["channels"], axis=1)
        elif operation["op"] == "resize" and list(x.shape[2:]) != list(operation["size"]):
            x = resized(x, *operation["size"])
        elif operation["op"] == "scale":
            x = x / np.float32(operation["by"])
        elif operation["op"] == "normalise":
            mean, std = (np.asarray(operation[k], np.float32).reshape(1, -1, 1, 1) for k in ("mean", "std"))
            x = (x - mean) / std
    return np.ascontiguousarray(x, dtype=np.float32)


def resized(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Images (N, C, H, W) in another size: linear, with a filter as wide as a shrunken pixel."""
    rows, columns = _weights(x.shape[2], height), _weights(x.shape[3], width)
    made: np.ndarray = np.einsum("nchw,yh,xw->ncyx", x, rows, columns, optimize=True)
    return made


def _weights(before: int, after: int) -> np.ndarray:
    """float32 (after, before): how much of each old pixel is in each new one."""
    scale = before / after
    wide = max(scale, 1.0)
    centres = (np.arange(after) + 0.5) * scale
    away = np.abs((np.arange(before)[None] + 0.5 - centres[:, None]) / wide)
    weights = np.maximum(0.0, 1.0 - away)
    shares: np.ndarray = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    return shares


def pixels(path: Path, shape: list[int]) -> np.ndarray:
    """An image file as uint8 (C, H, W) of the shape that the model takes."""
    channels, height, width = shape
    content = path.read_bytes()
    try:
        image = read_png(content)
    except ValueError:
        image = _with_pillow(path)
    if channels == 1 and image.shape[2] > 1:
        weights = np.array([0.299, 0.587, 0.114])
        image = (image[..., :3] @ weights + 0.5).astype(np.uint8)[..., None]
    image = np.repeat(image, 3, axis=2) if channels == 3 and image.shape[2] == 1 else image[..., :channels]
    found = image.transpose(2, 0, 1)
    if found.shape[1:] != (height, width):
        found = np.clip(resized(found[None].astype(np.float32), height, width)[0] + 0.5, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(found)


def _with_pillow(path: Path) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError:
        raise SystemExit(f"{path} is no plain PNG: install Pillow, or convert it") from None
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def read_png(content: bytes) -> np.ndarray:
    """A PNG of 8 bits, grey or coloured, without interlacing: uint8 (H, W, C); transparency is left out.

    Source: Portable Network Graphics specification, third edition, W3C 2025, sections 9 and 11. ValueError for others.
    """
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour)
    if depth != 8 or channels is None or interlaced:
        raise ValueError("a PNG of another form")
    place, parts = 8, []
    while place < len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        if content[place + 4 : place + 8] == b"IDAT":
            parts.append(content[place + 8 : place + 8 + length])
        place += 12 + length
    stride = width * channels
    lines = np.frombuffer(zlib.decompress(b"".join(parts)), np.uint8).reshape(height, stride + 1)
    made = np.zeros((height + 1, stride + channels), np.int32)  # with a line above and a pixel before
    for row in range(height):
        _unfilter(int(lines[row, 0]), lines[row, 1:].astype(np.int32), made[row + 1], made[row], channels)
    image = made[1:, channels:].astype(np.uint8).reshape(height, width, channels)
    return image[..., : channels - 1] if colour in (4, 6) else image


def _unfilter(kind: int, line: np.ndarray, out: np.ndarray, above: np.ndarray, step: int) -> None:
    if kind in (0, 2):
        out[step:] = (line + (above[step:] if kind == 2 else 0)) & 255
        return
    for n, value in enumerate(line.tolist()):
        left, up, corner = int(out[n]), int(above[n + step]), int(above[n])
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        else:
            whole = left + up - corner
            guess = min((left, up, corner), key=lambda near, whole=whole: abs(whole - near))  # type: ignore[misc]
        out[n + step] = (value + guess) & 255


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a head line."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def encode(rows: list[dict[str, Any]], columns: list[dict[str, Any]], operations: list[dict[str, Any]]) -> np.ndarray:
    """Rows as numbers: float32 (N, features)."""
    parts = []
    for column in columns:
        name = column["name"]
        own = {operation["op"]: operation for operation in operations if operation["column"] == name}
        if "drop" in own:
            continue
        missing = [row for row in rows if name not in row]
        if missing:
            raise SystemExit(f"The column {name} is missing")
        values = [row[name] for row in rows]
        if "one_hot" in own:
            fill = own["impute"]["value"] if "impute" in own else None
            texts = [_category(str(fill) if value == "" and fill is not None else value) for value in values]
            parts.append(np.array([[text == known for known in own["one_hot"]["categories"]] for text in texts]))
            continue
        numbers = np.array([_number(value) for value in values])
        if "impute" in own:
            numbers = np.where(np.isnan(numbers), float(own["impute"]["value"]), numbers)
        if "standardise" in own:
            numbers = (numbers - own["standardise"]["mean"]) / own["standardise"]["std"]
        if np.isnan(numbers).any():
            raise SystemExit(f"The column {name} has missing values")
        parts.append(numbers[:, None])
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _category(value: str) -> str:
    """As categories are written: whole numbers without a decimal point."""
    try:
        number = float(value)
    except ValueError:
        return value
    return str(int(number)) if math.isfinite(number) and number == int(number) else value


def _number(value: str) -> float:
    """A cell as a number: dates as days since 1970, an empty one as NaN."""
    text = value.strip()
    if not text:
        return math.nan
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(text)
    except ValueError:
        moment = datetime.datetime.fromisoformat(text)
        zone = moment.tzinfo or datetime.UTC
        return (
            moment.replace(tzinfo=zone) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        ).total_seconds() / 86400


class WordPieces:
    """Texts to tokens with a vocabulary of word pieces, as encoders such as BERT take them.

    Source: J. Devlin et al., "BERT", NAACL 2019, and the file format of the tokenizers library.
    """

    def __init__(self, file: Path) -> None:
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["model"]["type"] != "WordPiece":
            raise SystemExit("The tokenizer of this model needs the package tokenizers: give tokens as an .npy file")
        self.vocabulary: dict[str, int] = told["model"]["vocab"]
        self.unknown, self.prefix = told["model"]["unk_token"], told["model"].get("continuing_subword_prefix", "##")
        normal = told.get("normalizer") or {}
        self.lower = bool(normal.get("lowercase", True))
        strip = normal.get("strip_accents")
        self.strips = self.lower if strip is None else bool(strip)

    def rows(self, texts: list[str], length: int) -> np.ndarray:
        """int64 (N, length): [CLS], the pieces, [SEP], filled up."""
        made = np.full((len(texts), length), self.vocabulary.get("[PAD]", 0), np.int64)
        for number, text in enumerate(texts):
            found = [piece for word in self.words(text) for piece in self.pieces(word)]
            names = ["[CLS]", *found[: length - 2], "[SEP]"]
            made[number, : len(names)] = [self.vocabulary[name] for name in names]
        return made

    def words(self, text: str) -> list[str]:
        """Words and punctuation marks, each by itself."""
        plain = "".join(letter for letter in text if letter in "\t\n\r" or unicodedata.category(letter)[0] != "C")
        plain = unicodedata.normalize("NFD", plain) if self.strips else plain
        plain = "".join(c for c in plain if unicodedata.category(c) != "Mn") if self.strips else plain
        plain = plain.lower() if self.lower else plain
        spaced = "".join(f" {letter} " if _stands_alone(letter) else letter for letter in plain)
        return spaced.split()

    def pieces(self, word: str) -> list[str]:
        """The longest known pieces from left to right; the unknown token where there is none."""
        found: list[str] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else self.prefix + word[start:end]
                if piece in self.vocabulary:
                    break
            else:
                return [self.unknown]
            found.append(piece)
            start = end
        return found if len(word) <= 100 else [self.unknown]


def _stands_alone(letter: str) -> bool:
    code = ord(letter)
    is_chinese = 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF
    is_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return is_chinese or is_mark or unicodedata.category(letter)[0] == "P"
