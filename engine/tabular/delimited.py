"""Delimited text (CSV and its relatives) as columns of text.

Called by :mod:`engine.tabular.read`. What the text means is for :mod:`engine.tabular.columns`.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from engine.errors import UserError
from engine.tabular.dialect import column_names, detect_delimiter, detect_header, rows_of
from engine.tabular.encoding import detect_encoding, to_utf8
from engine.tabular.options import Finding, TableOptions

SAMPLE_CHARACTERS = 1 << 18
BLOCK_BYTES = 16 << 20
CELL_CHARACTERS = 1 << 24
NAMED = 5


@dataclass(slots=True)
class RawTable:
    """A table whose cells are text.

    Attributes
    ----------
    ragged
        Lines with the wrong number of cells: ``{"count", "expected", "lines": [{"line", "cells"}]}``, or None.
    """

    table: pa.Table
    detected: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    ragged: dict[str, Any] | None = None


def read_delimited(path: Path, options: TableOptions) -> RawTable:
    """Read a delimited text file.

    Raises
    ------
    UserError
        When the file is empty, is no text, or its quotes do not pair.
    """
    encoding = detect_encoding(path) if options.encoding == "auto" else options.encoding
    with tempfile.TemporaryDirectory() as folder:
        text_path = to_utf8(path, encoding, Path(folder) / "text.csv")
        return _read_text(text_path, encoding, options)


def _read_text(path: Path, encoding: str, options: TableOptions) -> RawTable:
    sample, skip, whole = _sample(path)
    delimiter = detect_delimiter(sample) if options.delimiter == "auto" else _delimiter(options.delimiter)
    if skip and options.delimiter == "auto":
        delimiter = skip[-1]
    rows = rows_of(sample, delimiter)
    if not rows:
        raise UserError("The file is empty", field="file", hint="Choose a file with a line of names and lines of data.")
    header = detect_header(rows) if options.header == "auto" else options.header == "yes"
    width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
    names, made = column_names(rows[0] if header else [], width)
    if whole:
        _check_quotes(sample, delimiter)
    if header and len(rows) == 1 and whole:
        raise UserError(
            "The file has a line of column names and no data", field="file", hint="Add rows below the names."
        )
    lead = _lines_before_data(path, delimiter, bool(skip), header)
    table, bad = _parse(path, delimiter, names, lead)
    raw = RawTable(table, {"encoding": encoding, "delimiter": delimiter, "header": header, "width": width})
    if not header:
        raw.findings.append(
            Finding(
                "info",
                "The first line holds data, so the columns are named {first} to {last}",
                {"first": names[0], "last": names[-1]},
                "If it names the columns, set the header to yes.",
                "header",
            )
        )
    elif made:
        raw.findings.append(
            Finding(
                "warning",
                "Some columns had no name or a repeated one; they are now {names}",
                {"names": ", ".join(made[:NAMED])},
                None,
                "header",
            )
        )
    if bad:
        raw.ragged = _ragged_lines(path, delimiter, width, lead)
        if options.ragged == "pad":
            raw.table = _padded(path, delimiter, names, lead)
    return raw


def _delimiter(text: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}.get(text.lower(), text)
    if len(named) != 1 or named in '"\r\n':
        raise UserError(
            "The delimiter is one character, not {delimiter}",
            field="delimiter",
            hint="Use , ; | or tab.",
            delimiter=text,
        )
    return named


def _sample(path: Path) -> tuple[str, str, bool]:
    """The first whole lines, the first line when it is Excel's ``sep=;``, and whether that is the whole file."""
    with path.open(encoding="utf-8", newline="") as stream:
        text = stream.read(SAMPLE_CHARACTERS)
        more = bool(stream.read(1))
    if more and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    first, _, rest = text.partition("\n")
    mark = first.strip().lower()
    if mark.startswith("sep=") and len(mark) == 5:
        return rest, mark, not more
    return text, "", not more


def _check_quotes(sample: str, delimiter: str) -> None:
    try:
        for _ in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise UserError(
                "A quotation mark is opened and never closed",
                field="file",
                hint="Close it, or double it where it is part of the text.",
            ) from None


def _lines_before_data(path: Path, delimiter: str, skip: bool, header: bool) -> int:
    """How many lines stand before the data: empty ones, ``sep=;``, and the header, which may span lines."""
    with path.open(encoding="utf-8", newline="") as stream:
        lines = 1 if skip else 0
        if skip:
            stream.readline()
        if not header:
            return lines
        reader = csv.reader(stream, delimiter=delimiter)
        for row in reader:
            if row:
                return lines + reader.line_num
    return lines


def _parse(path: Path, delimiter: str, names: list[str], lead: int) -> tuple[pa.Table, int]:
    bad = 0

    def skip(_: Any) -> str:
        nonlocal bad
        bad += 1
        return "skip"

    try:
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(
                column_names=names, skip_rows=lead, block_size=BLOCK_BYTES, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            raise UserError("The file is empty", field="file", hint="Choose a file with data.") from None
        raise UserError(
            "The file cannot be read as text with columns: {problem}",
            field="file",
            hint="A quotation mark that is never closed is the usual cause.",
            problem=str(error).splitlines()[0][:200],
        ) from None
    return table, bad


def _rows(path: Path, delimiter: str, lead: int) -> Any:
    """Pairs of (line number, row) of the data, as the csv module cuts them."""
    csv.field_size_limit(CELL_CHARACTERS)
    with path.open(encoding="utf-8", newline="") as stream:
        for _ in range(lead):
            stream.readline()
        reader, line = csv.reader(stream, delimiter=delimiter), 1
        for row in reader:
            if row:
                yield lead + line, row
            line = reader.line_num + 1


def _ragged_lines(path: Path, delimiter: str, width: int, lead: int) -> dict[str, Any]:
    """Which lines have the wrong number of cells; the first few are named."""
    lines: list[dict[str, int]] = []
    count = 0
    for line, row in _rows(path, delimiter, lead):
        if len(row) != width:
            count += 1
            if len(lines) < 20:
                lines.append({"line": line, "cells": len(row)})
    return {"count": count, "expected": width, "lines": lines}


def _padded(path: Path, delimiter: str, names: list[str], lead: int) -> pa.Table:
    """Every row: short ones filled with empty cells, long ones cut."""
    width = len(names)
    columns: list[list[str]] = [[] for _ in names]
    for _, row in _rows(path, delimiter, lead):
        for i, cell in enumerate((row + [""] * width)[:width]):
            columns[i].append(cell)
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)})


def text_table(names: list[str], rows: list[list[str]]) -> pa.Table:
    """Rows of text as a table of text."""
    width = len(names)
    columns = list(zip(*((row + [""] * width)[:width] for row in rows), strict=True)) or [()] * width
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(names, columns, strict=True)})
