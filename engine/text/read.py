"""Read texts from a file: a table, JSON lines or plain text; which columns hold text and label is found out.

Called by the text blocks. Which reader a file gets is told by what it begins with, never by its name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import UserError
from engine.tabular import Finding, TableOptions, read_table
from engine.tabular.dialect import rows_of
from engine.tabular.jsonlines import decoded, json_table
from engine.tabular.targets import NAMES, target_text

Divided = Literal["document", "paragraphs", "lines"]
TEXT_NAMES = (
    "text", "texts", "review", "sentence", "content", "message", "comment", "body", "document", "post", "question",
    "文本", "内容", "评论", "正文", "句子",
)  # fmt: skip
MANY = 1000
DELIMITERS = ",;\t|"
PROSE = 65_536
LONG = 60
FEW_WORDS = 4
FAR_EAST = 0x2E80
TABLES = (b"PAR1", b"PK")


@dataclass(slots=True)
class TextsRead:
    """Texts as they were read.

    Attributes
    ----------
    texts
        Never empty ones.
    labels
        The class of each text; None where no column was wanted or found.
    detected
        What was found out: format, text and label column.
    """

    texts: list[str]
    labels: list[str] | None
    detected: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)


def read_labelled(path: Path, *, text: str = "", label: str = "", options: TableOptions | None = None) -> TextsRead:
    """Texts with a class each, from CSV, Parquet, Excel or JSON lines.

    Parameters
    ----------
    text, label
        Names of the columns; found out when empty: the column with the longest texts, and one with few values.

    Raises
    ------
    UserError
        When there is no such column, or nothing that could be a text or a class.
    """
    table, form, findings = _table(path, options or TableOptions())
    chosen = _column(table, text, "text") or _longest(table, label)
    classes = _column(table, label, "label") or _few_values(table, chosen)
    if classes is None:
        raise UserError(
            "No column holds classes: beside {text} there is none with few values",
            field="label",
            hint="Choose the column with the class of each text, or use the block Text corpus.",
            text=chosen,
        )
    texts, labels = _as_text(table.column(chosen)), target_text(table.column(classes))
    kept = [i for i, (one, name) in enumerate(zip(texts, labels, strict=True)) if one.strip() and name is not None]
    if len(kept) < len(texts):
        findings.append(
            Finding(
                "warning", "{count} rows have no text or no class and were left out", {"count": len(texts) - len(kept)}
            )
        )
    detected = {**form, "text": chosen, "label": classes}
    return TextsRead([texts[i] for i in kept], [str(labels[i]) for i in kept], detected, findings)


def read_corpus(
    path: Path, *, text: str = "", divided: Divided = "document", options: TableOptions | None = None
) -> TextsRead:
    """Documents, from plain text or from a column of a table or of JSON lines.

    Parameters
    ----------
    text
        Name of the column; found out when empty. Naming one says that a text file is a table.
    divided
        Where a document of a plain text ends.

    Raises
    ------
    UserError
        When the file is empty, or has no such column.
    """
    options = options or TableOptions()
    if text or _start(path).startswith(TABLES) or json_table(path, options.encoding) is not None:
        table, form, findings = _table(path, options)
        chosen = _column(table, text, "text") or _longest(table, "")
        documents = [one for one in _as_text(table.column(chosen)) if one.strip()]
        return _corpus(documents, {**form, "text": chosen}, findings)
    content = decoded(path, options.encoding)
    documents = [part for part in divide(content, divided) if part.strip()]
    return _corpus(documents, {"format": "text", "divided": divided}, [])


def is_running_text(path: Path) -> bool:
    """True for a plain text that is prose rather than a table: its lines have no common number of cells.

    Lines are looked at in the first 64 kB. A text of fewer than three lines counts when they are long.
    """
    if _start(path).startswith((*TABLES, b"{", b"[")) or b"\0" in _start(path):
        return False
    try:
        lines = [line for line in decoded(path)[:PROSE].split("\n") if line.strip()]
    except UserError:
        return False
    if len(lines) < 3:
        return bool(lines) and sum(map(len, lines)) > LONG * len(lines)
    for delimiter in DELIMITERS:
        cells = Counter(len(row) for row in rows_of("\n".join(lines), delimiter))
        common, times = cells.most_common(1)[0]
        if common > 1 and times >= 0.7 * cells.total():
            return False
    return sum(map(_words, lines)) / len(lines) >= FEW_WORDS


def _words(line: str) -> int:
    """Words of a line; of scripts without spaces, pairs of characters."""
    return max(len(line.split()), sum(ord(letter) > FAR_EAST for letter in line) // 2)


def divide(content: str, divided: Divided) -> list[str]:
    r"""A plain text as documents.

    >>> divide("a\nb\n\nc\n", "paragraphs"), divide("a\nb\n\nc\n", "lines")
    (['a\nb', 'c\n'], ['a', 'b', '', 'c'])
    """
    if divided == "lines":
        return content.splitlines()
    return re.split(r"\n[ \t]*\n\s*", content) if divided == "paragraphs" else [content]


def _corpus(documents: list[str], detected: dict[str, Any], findings: list[Finding]) -> TextsRead:
    if not documents:
        raise UserError("The file holds no text", field="file", hint="Choose a file with text in it.")
    return TextsRead(documents, None, detected, findings)


def _table(path: Path, options: TableOptions) -> tuple[pa.Table, dict[str, Any], list[Finding]]:
    # Cells of JSON stay the text that a person wrote: a column of texts must not become dates or numbers.
    found = json_table(path, options.encoding)
    if found is not None:
        return found, {"format": "json"}, []
    read = read_table(path, options)
    return read.table, {"format": read.detected.get("format", "table")}, list(read.findings)


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf")


def _column(table: pa.Table, name: str, field_name: str) -> str | None:
    if not name or name in table.column_names:
        return name or None
    raise UserError(
        "There is no column {column}",
        field=field_name,
        hint="The file has: {columns}.",
        column=name,
        columns=", ".join(table.column_names[:30]),
    )


def _longest(table: pa.Table, label: str) -> str:
    """The column that is called like a text, else the one whose values are longest on average."""
    words: list[str] = [
        name
        for name in table.column_names
        if name != label and (pa.types.is_string(table.schema.field(name).type) or _is_dictionary(table, name))
    ]
    if not words:
        raise UserError("No column holds text", field="text", hint="Choose a file with a column of texts.")
    by_name = {name.strip().lower(): name for name in words}
    for known in TEXT_NAMES:
        if known in by_name:
            return by_name[known]
    return max(words, key=lambda name: _mean_length(table, name))


def _mean_length(table: pa.Table, name: str) -> float:
    return float(pc.mean(pc.utf8_length(table.column(name).cast(pa.string()))).as_py() or 0)


def _is_dictionary(table: pa.Table, name: str) -> bool:
    return bool(pa.types.is_dictionary(table.schema.field(name).type))


def _few_values(table: pa.Table, text: str) -> str | None:
    """A column called like a target, else the last with at least two values that come again and again."""
    others = [name for name in table.column_names if name != text]
    fit = []
    for name in others:
        distinct = pc.count_distinct(table.column(name).cast(pa.string())).as_py()
        if 2 <= distinct <= min(MANY, max(2, table.num_rows // 2)):
            fit.append(name)
    by_name = {name.strip().lower(): name for name in fit}
    return next((by_name[known] for known in NAMES if known in by_name), fit[-1] if fit else None)


def _as_text(column: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in column.to_pylist()]


def class_names(labels: Sequence[str]) -> list[str]:
    """Names of the classes: numbers by size, words by alphabet.

    >>> class_names(["10", "9", "9"]), class_names(["b", "a"])
    (['9', '10'], ['a', 'b'])
    """
    distinct = sorted(set(labels))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct
