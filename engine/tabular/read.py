"""Read a table of any kind: the one door to this room.

Called by the table block, :mod:`engine.inspect` and prediction. Which reader a file gets is told by its first bytes,
never by its name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.errors import UserError
from engine.tabular.columns import Column, convert
from engine.tabular.delimited import RawTable, read_delimited
from engine.tabular.jsonlines import json_table
from engine.tabular.options import Finding, TableOptions
from engine.tabular.targets import find_target, guess_target, guess_task

MAGIC = (
    (b"PAR1", "parquet"),
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF8", "image"),
    (b"%PDF", "pdf"),
    (b"SQLite format 3\0", "sqlite"),
    (b"\x93NUMPY", "npy"),
)


@dataclass(slots=True)
class TableRead:
    """A table as it was read.

    Attributes
    ----------
    detected
        What was found out about the file: format, encoding, delimiter, header, decimal, target, ...
    ragged
        Lines with the wrong number of cells, or None.
    target, task
        What to predict and how: set or guessed; None when nothing can be predicted.
    """

    columns: list[Column]
    detected: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    ragged: dict[str, Any] | None = None
    target: str | None = None
    task: str | None = None

    @property
    def table(self) -> pa.Table:
        """The typed columns as one table."""
        return pa.table({column.name: column.values for column in self.columns})

    @property
    def count(self) -> int:
        """How many rows it has."""
        return len(self.columns[0].values) if self.columns else 0


def read_table(path: Path, options: TableOptions | None = None) -> TableRead:
    r"""Read a CSV, Excel or Parquet file.

    Parameters
    ----------
    path
        The file.
    options
        What is known about it; the rest is detected.

    Raises
    ------
    UserError
        When the file is empty, is none of these, or cannot be read; names the option that may help.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "fruit.csv"
    >>> _ = path.write_text("name;price;ripe\napple;1,50;yes\nfig;0,75;no\n")
    >>> read = read_table(path)
    >>> read.table.to_pylist()[0]
    {'name': 'apple', 'price': 1.5, 'ripe': True}
    >>> read.detected["delimiter"], read.detected["decimal"]
    (';', ',')
    """
    options = options or TableOptions()
    kind = file_kind(path)
    if kind == "parquet":
        from engine.tabular.parquet import read_parquet

        columns, findings = read_parquet(path, options)
        read = TableRead(columns, {"format": "parquet"}, findings)
    else:
        read = _typed(_raw(path, kind, options), kind, options)
    if read.count == 0:
        raise UserError("The table has no rows", field="file", hint="Choose a file with data below the names.")
    for column in read.columns:
        read.findings += column.findings
        read.detected.setdefault("columns", {})[column.name] = {"type": column.type, "format": column.format}
    _set_target(read, options)
    return read


def file_kind(path: Path) -> str:
    """``csv``, ``excel`` or ``parquet``.

    Raises
    ------
    UserError
        For everything else that is known; says what to do with it.
    """
    with path.open("rb") as stream:
        start = stream.read(16)
    if not start:
        raise UserError("The file is empty", field="file", hint="Choose a file with data.")
    if start.startswith(b"PK"):
        return "excel"
    kind = next((name for magic, name in MAGIC if start.startswith(magic)), "csv")
    if kind in ("csv", "parquet"):
        return kind
    if kind == "xls":
        hint = "Open it in Excel and save it as .xlsx."
    elif kind == "gzip":
        hint = "Unpack the file first."
    elif kind == "image":
        hint = "For images, upload a zip with one folder for each class."
    else:
        hint = "Export the data as CSV, Excel (.xlsx) or Parquet."
    raise UserError("This is a file of type {type}, not a table", field="file", hint=hint, type=kind)


def _raw(path: Path, kind: str, options: TableOptions) -> RawTable:
    if kind == "csv":
        found = json_table(path, options.encoding)
        return read_delimited(path, options) if found is None else RawTable(found, {"format": "json"})
    from engine.tabular.excel import read_excel

    return read_excel(path, options)


def _typed(raw: RawTable, kind: str, options: TableOptions) -> TableRead:
    columns, form = convert(raw.table, options, raw.detected.get("delimiter") == ";")
    detected = {"format": kind, **raw.detected}
    if detected["format"] == "csv":
        detected["decimal"] = form.decimal
        dates = {column.format for column in columns if column.type == "date"}
        detected["day_first"] = "no" if "month/day/year" in dates else "yes" if "day/month/year" in dates else "auto"
    return TableRead(columns, detected, raw.findings, raw.ragged)


def _set_target(read: TableRead, options: TableOptions) -> None:
    name = options.target or guess_target(read.columns)
    if name is None:
        return
    column = find_target(read.columns, name)
    read.target = name
    read.task = guess_task(column) if options.task == "auto" else options.task
    read.detected["target"] = name
    read.detected["task"] = read.task
