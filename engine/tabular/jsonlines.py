"""Rows of JSON objects, one a line or all in one list, as columns of text.

Called by :mod:`engine.tabular.read` and :mod:`engine.text.read`. What the text means is for
:mod:`engine.tabular.columns`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import UserError
from engine.tabular.encoding import detect_encoding
from engine.tabular.options import Encoding

MARK = b"\xef\xbb\xbf"


def json_table(path: Path, encoding: Encoding = "auto") -> pa.Table | None:
    r"""The rows of a file of JSON objects; every cell is text or missing. None when the file is something else.

    A list of plain values gives one column, ``text``.

    Raises
    ------
    UserError
        When it begins as JSON lines, and a later line is none.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows"
    >>> _ = path.write_text('{"name": "fig", "price": 0.75}\n{"name": "apple", "ripe": true}\n')
    >>> json_table(path).to_pylist()[1]
    {'name': 'apple', 'price': None, 'ripe': 'true'}
    """
    with path.open("rb") as stream:
        start = stream.read(64).removeprefix(MARK).lstrip()
    if start[:1] not in (b"{", b"["):
        return None
    content = decoded(path, encoding)
    try:
        found = json.loads(content) if start.startswith(b"[") else _lines(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not found:
        return None
    rows = [row if isinstance(row, dict) else {"text": row} for row in found]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([_plain(row.get(name)) for row in rows], pa.string()) for name in names})


def decoded(path: Path, encoding: Encoding = "auto") -> str:
    """A text file's characters, line ends as newlines.

    Raises
    ------
    UserError
        When it is not in this encoding.
    """
    name = detect_encoding(path) if encoding == "auto" else encoding
    try:
        content = path.read_bytes().decode(name)
    except UnicodeDecodeError as error:
        raise UserError(
            "Byte {place} is not {encoding}",
            field="encoding",
            hint="Choose another encoding.",
            place=error.start,
            encoding=name,
        ) from None
    return content.removeprefix("\ufeff").replace("\r\n", "\n")


def _lines(content: str) -> list[Any]:
    rows = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError:
            if not rows:
                raise  # not JSON at all
            raise UserError(
                "Line {line} is not a JSON object",
                field="file",
                hint="Write one object a line, such as a text and a label.",
                line=number,
            ) from None
    return rows


def _plain(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
