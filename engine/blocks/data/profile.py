"""An overview of a data set: what each column holds, what is missing, how values spread, how many of each class."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from engine.artifacts import DatasetRef, FigureRef, TableRef
from engine.datasets import open_images, open_table, write_table
from engine.spec import BlockParams, RunContext, block, param, put_figure
from engine.tabular.parquet import to_column
from engine.tabular.profile import class_figure, overview_figure, statistics


class Params(BlockParams):
    """How much is shown."""

    columns: int = param(24, ge=1, le=100, help="Most columns in the figure; the table has all")


class Outputs(NamedTuple):
    """What comes out."""

    figure: FigureRef
    table: TableRef


@block("data.profile", title="Column profile", examples=[{}, {"columns": 2}])
def run(params: Params, *, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Describe every column of a table, or the classes of a set of images.

    Parameters
    ----------
    dataset
        A table or images.

    Returns
    -------
    Outputs
        ``figure``: one small chart for each column; ``table``: its numbers, one row for each column.

    References
    ----------
    Tukey (1977), Exploratory Data Analysis, chapters 1 and 2.

    Examples
    --------
    >>> Params().columns
    24
    """
    if isinstance(dataset, TableRef):
        table, columns = open_table(dataset), dataset.meta["columns"]
        figure = overview_figure(table, columns[: params.columns])
        rows = pa.Table.from_pylist(statistics(table, columns))
    else:
        view = open_images(dataset)
        counts = {name: int((view.labels == number).sum()) for number, name in enumerate(view.classes)}
        figure = class_figure(counts)
        rows = pa.table({"class": list(counts), "images": list(counts.values())})
    ctx.check_cancelled()
    made = put_figure(ctx, figure)
    facts = [column.facts() for name in rows.column_names if (column := to_column(name, rows.column(name)))]
    return Outputs(made, write_table(ctx.store, rows, facts, name=f"{dataset.meta['name']} profile"))
