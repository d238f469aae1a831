"""Parquet files as typed columns.

Called by :mod:`engine.tabular.read`. The types are in the file, so nothing is guessed but what words mean.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.errors import UserError
from engine.tabular.columns import Column, words
from engine.tabular.options import Finding, TableOptions


def read_parquet(path: Path, options: TableOptions) -> tuple[list[Column], list[Finding]]:
    """Read the columns that fit a table; lists, structures and bytes are left out, and that is said.

    Raises
    ------
    UserError
        When the file is damaged or has no column that can be used.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
        raise UserError(
            "This Parquet file cannot be read: {problem}",
            field="file",
            hint="Check that the upload was complete.",
            problem=str(error).splitlines()[0][:200],
        ) from None
    columns: list[Column] = []
    findings: list[Finding] = []
    for name in table.column_names:
        wanted = options.columns.get(name)
        column = None if wanted == "ignore" else to_column(name, table.column(name), wanted)
        if column is not None:
            columns.append(column)
        elif wanted != "ignore":
            findings.append(
                Finding(
                    "warning",
                    "Column {column} was left out: it holds {type}",
                    {"column": name, "type": str(table.schema.field(name).type)[:80]},
                    "A table has numbers, words, dates and yes or no. Images in Parquet: use an image block.",
                    name,
                )
            )
    if not columns:
        raise UserError(
            "The Parquet file has no column that a table can hold", field="file", hint="Choose a file with columns."
        )
    return columns, findings


def to_column(name: str, values: pa.ChunkedArray | pa.Array, wanted: str | None = None) -> Column | None:
    """A typed Arrow column as one of ours; None for a type that a table does not hold.

    Examples
    --------
    >>> to_column("age", pa.array([31, None])).facts()
    {'name': 'age', 'type': 'number', 'missing': 1, 'unique': 1}
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_boolean(kind):
        return Column(name, "boolean", values)
    if pa.types.is_integer(kind):
        return _told(Column(name, "number", values.cast(pa.int64())), wanted)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64())
        finite = pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
        return _told(Column(name, "number", finite), wanted)
    if pa.types.is_date(kind):
        return Column(name, "date", values.cast(pa.date32()))
    if pa.types.is_timestamp(kind):
        return Column(name, "date", pc.cast(values, pa.timestamp("us"), safe=False))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        made = words(name, values.cast(pa.string()), [])
        return Column(name, wanted, made.values) if wanted in ("category", "text") else made
    return None


def _told(column: Column, wanted: str | None) -> Column:
    """Numbers that a person calls categories become words."""
    if wanted in ("category", "text"):
        return Column(column.name, wanted, column.values.cast(pa.string()))
    return column
