"""The column to predict: a guess, the task it gives, and checks that it can be predicted.

Called by :mod:`engine.tabular.read`, the table block and :func:`engine.datasets.class_labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import UserError
from engine.tabular.columns import Column

NAMES = (
    "target", "label", "labels", "class", "y", "outcome", "species", "survived", "churn", "churned", "default",
    "fraud", "is_fraud", "quality", "price", "diagnosis", "目标", "标签", "类别", "结果", "价格",
)  # fmt: skip
FEW = 20
MOST_CLASSES = 1000


def target_text(column: pa.ChunkedArray | pa.Array) -> list[str | None]:
    """The values of a target as text, as class names are written.

    >>> target_text(pa.array([1.0, 2.5, None])), target_text(pa.array([True, False]))
    (['1', '2.5', None], ['true', 'false'])
    """
    return [class_name(value) for value in column.to_pylist()]


def class_name(value: object) -> str | None:
    """One value of a target as text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def guess_target(columns: Sequence[Column]) -> str | None:
    """The column that is probably to be predicted: one with a telling name, else the last that can be.

    Examples
    --------
    >>> guess_target([Column("a", "number", pa.array([1])), Column("Species", "category", pa.array(["x"]))])
    'Species'
    """
    fit = [column for column in columns if column.type in ("category", "boolean", "number")]
    fit = [column for column in fit if pc.count_distinct(column.values).as_py() > 1] or fit
    by_name = {column.name.strip().lower(): column.name for column in fit}
    for name in NAMES:
        if name in by_name:
            return by_name[name]
    return fit[-1].name if fit else None


def guess_task(column: Column) -> str:
    """``regression`` for numbers that vary, else ``classification``.

    >>> guess_task(Column("grade", "number", pa.array([1, 2, 3] * 40)))
    'classification'
    """
    if column.type != "number":
        return "classification"
    distinct = pc.count_distinct(column.values).as_py()
    whole = pa.types.is_integer(column.values.type)
    few = distinct <= max(2, min(FEW, 0.05 * len(column.values)))
    return "classification" if whole and few else "regression"


def find_target(columns: Sequence[Column], name: str) -> Column:
    """The column of this name.

    Raises
    ------
    UserError
        When there is none; says which there are.
    """
    for column in columns:
        if column.name == name:
            return column
    raise UserError(
        "The table has no column {column}",
        field="target",
        hint="Its columns are: {columns}.",
        column=name,
        columns=", ".join(column.name for column in columns[:30]),
    )


def check_target(column: Column, task: str) -> list[str] | None:
    """Check that a column can be predicted.

    Returns
    -------
    list of str or None
        The classes in their order; None for regression.

    Raises
    ------
    UserError
        When it is free text, has one value, or holds words that should be numbers.
    """
    values = column.values.drop_null()
    distinct = pc.count_distinct(values).as_py() if len(values) else 0
    if distinct < 2:
        raise UserError(
            "Column {column} cannot be predicted: it has {distinct} different values",
            field="target",
            hint="Choose a column that differs from row to row.",
            column=column.name,
            distinct=distinct,
        )
    if task == "regression":
        if column.type not in ("number", "boolean"):
            raise UserError(
                "Column {column} holds words such as {example}, and regression predicts numbers",
                field="target",
                hint="Set the task to classification, or choose a column of numbers.",
                column=column.name,
                example=str(values[0].as_py())[:40],
            )
        return None
    if distinct > MOST_CLASSES or (column.type == "text" and distinct > 0.5 * len(values)):
        raise UserError(
            "Column {column} cannot be a class: it has {distinct} different values in {rows} rows, such as {example}",
            field="target",
            hint="Choose a column with few different values; predict numbers by regression.",
            column=column.name,
            distinct=distinct,
            rows=len(values),
            example=str(values[0].as_py())[:40],
        )
    return ordered_classes(values)


def ordered_classes(values: pa.Array) -> list[str]:
    """Class names: numbers by size, no before yes, words by alphabet.

    >>> ordered_classes(pa.array([10, 9, 9]))
    ['9', '10']
    """
    distinct = sorted(pc.unique(values).to_pylist())
    return [str(class_name(value)) for value in distinct]
