"""Tables as artifacts: ``table.parquet`` and what is known of its columns.

Called through :mod:`engine.datasets`. Must not know how the table was read; that is :mod:`engine.tabular`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.artifacts import ArtifactStore, DatasetRef, TableRef
from engine.datasets import previews
from engine.datasets.images import resolve
from engine.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


def open_table(ref: DatasetRef) -> pa.Table:
    """Read a table or a view on one.

    Raises
    ------
    UserError
        When the data set holds images.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not isinstance(ref, TableRef):
        raise UserError(
            "This needs a table, and the data set holds {kind}",
            hint="Connect a block that gives a table, such as Table.",
            kind=ref.kind,
        )
    base, indices = resolve(ref)
    table = pq.read_table(base.path("table.parquet"))
    return table if indices is None else table.take(pa.array(indices))


def table_rows(ref: DatasetRef) -> int:
    """How many rows a table or a view on one has, without reading it."""
    return int(ref.meta["count"])


def write_table(
    store: ArtifactStore,
    table: pa.Table,
    columns: Sequence[Mapping[str, Any]],
    *,
    name: str,
    target: str | None = None,
    task: str | None = None,
    classes: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> TableRef:
    """Keep a table as an artifact, with its preview.

    Parameters
    ----------
    columns
        ``{"name", "type": "number|category|text|date|boolean", "missing", "unique"}`` of each column, in order.
    target
        The column to predict, if any.
    task
        ``"classification"``, ``"regression"`` or None.
    classes
        Names of the target's classes, for classification.
    """
    facts = {
        "task": task,
        "name": name,
        "target": target,
        "classes": None if classes is None else list(classes),
        "columns": [dict(column) for column in columns],
        "count": table.num_rows,
        "preprocessing": [],
        **(meta or {}),
    }
    files = {"table.parquet": parquet_bytes(table), "preview.json": previews.table_preview(table)}
    return store.put(TableRef, files=files, meta=facts)


def parquet_bytes(table: pa.Table) -> bytes:
    """A table in the bytes of a Parquet file, the same for the same table."""
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None).combine_chunks(), stream, compression="zstd")
    return stream.getvalue()
