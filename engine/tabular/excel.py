"""Excel workbooks (.xlsx) as columns of text.

Called by :mod:`engine.tabular.read`. A workbook is a zip: it is checked before it is opened. Formulas are not
computed; the values that Excel stored are read.
"""

from __future__ import annotations

import datetime
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from engine.datasets.archives import Limits, check_zip
from engine.errors import UserError
from engine.tabular.delimited import NAMED, RawTable, text_table
from engine.tabular.dialect import column_names, detect_header
from engine.tabular.options import Finding, TableOptions

MAX_ROWS = 1_048_576
LIMITS = Limits(files=10_000, total_bytes=2 << 30, ratio=200)


def read_excel(path: Path, options: TableOptions) -> RawTable:
    """Read one sheet.

    Raises
    ------
    UserError
        When it is no workbook, has no such sheet, or no data.
    """
    import openpyxl

    check_zip(path, LIMITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        except Exception as error:  # openpyxl has no error of its own for a broken file
            raise UserError(
                "This is not an Excel workbook that can be read: {problem}",
                field="file",
                hint="Open it in Excel and save it as .xlsx again, or export it as CSV.",
                problem=str(error)[:200],
            ) from error
        try:
            return _read_book(book, options)
        finally:
            book.close()


def _read_book(book: Any, options: TableOptions) -> RawTable:
    sheets = [sheet.title for sheet in book.worksheets]
    if options.sheet and options.sheet not in sheets:
        raise UserError(
            "The workbook has no sheet {sheet}",
            field="sheet",
            hint="Its sheets are: {sheets}.",
            sheet=options.sheet,
            sheets=", ".join(sheets),
        )
    for title in [options.sheet] if options.sheet else sheets:
        rows = _rows(book[title])
        if rows:
            return _table(rows, title, sheets, options)
    raise UserError(
        "The workbook has no data", field="file", hint="Choose a file with a row of names and rows of data."
    )


def _rows(sheet: Any) -> list[list[str]]:
    """The rows that hold anything, without empty columns at the end, as text."""
    rows = []
    for row in sheet.iter_rows(values_only=True, max_row=MAX_ROWS):
        cells = [cell_text(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            rows.append(cells)
    return rows


def cell_text(value: Any) -> str:
    """A cell as text that reads back as the same value.

    >>> cell_text(3.0), cell_text(True), cell_text(datetime.datetime(2024, 2, 29))
    ('3', 'true', '2024-02-29')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return str(value)


def _table(rows: list[list[str]], title: str, sheets: list[str], options: TableOptions) -> RawTable:
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    width = max(width, len(rows[0]))
    findings = []
    while len(rows) > 1 and len(rows[0]) == 1 and width > 1:  # a title above the table
        findings.append(
            Finding("info", "A line above the table was left out: {line}", {"line": rows[0][0][:80]}, None, "header")
        )
        rows = rows[1:]
    header = detect_header(rows[:200]) if options.header == "auto" else options.header == "yes"
    width = max(len(row) for row in rows)
    names, made = column_names(rows[0] + [""] * (width - len(rows[0])) if header else [], width)
    data = rows[1:] if header else rows
    if not data:
        raise UserError(
            "The sheet has a line of column names and no data", field="file", hint="Add rows below the names."
        )
    if header and made:
        findings.append(
            Finding(
                "warning",
                "Some columns had no name or a repeated one; they are now {names}",
                {"names": ", ".join(made[:NAMED])},
                None,
                "header",
            )
        )
    detected = {"sheet": title, "sheets": sheets, "header": header, "width": width}
    return RawTable(text_table(names, data), detected, findings)
