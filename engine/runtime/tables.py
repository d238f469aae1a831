"""Rows of a table on their way into a network: declared operations become numbers.

Called by training, evaluation and prediction, so that all three see the same numbers. Operations, in list order:

``{"op": "impute", "column": c, "value": v}``           missing values become v
``{"op": "standardise", "column": c, "mean": m, "std": s}``  (x - m) / s
``{"op": "one_hot", "column": c, "categories": [..]}``  one number per category; unknown or missing: all zero
``{"op": "drop", "column": c}``                         the column is not used
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import UserError

Operations = Sequence[Mapping[str, Any]]


def feature_names(columns: Sequence[Mapping[str, Any]], operations: Operations) -> list[str]:
    """Name of every number that a row becomes.

    >>> feature_names([{"name": "age", "type": "number"}, {"name": "city", "type": "category"}],
    ...               [{"op": "one_hot", "column": "city", "categories": ["A", "B"]}])
    ['age', 'city = A', 'city = B']
    """
    names: list[str] = []
    for column in columns:
        own = [op for op in operations if op["column"] == column["name"]]
        if any(op["op"] == "drop" for op in own):
            continue
        encoder = next((op for op in own if op["op"] == "one_hot"), None)
        if encoder is None:
            names.append(column["name"])
        else:
            names += [f"{column['name']} = {category}" for category in encoder["categories"]]
    return names


def encode(table: pa.Table, columns: Sequence[Mapping[str, Any]], operations: Operations) -> np.ndarray:
    """Rows as numbers.

    Parameters
    ----------
    table
        Must have every column of ``columns`` that is not dropped; more are ignored.
    columns
        ``{"name", "type"}`` of the columns a model was trained on, in order, without the target.

    Returns
    -------
    numpy.ndarray
        float32 (rows, features).

    Raises
    ------
    UserError
        Naming the column that is missing, is text where numbers are needed, or has missing values.

    Examples
    --------
    >>> table = pa.table({"age": [1.0, None], "city": ["B", "C"]})
    >>> encode(table, [{"name": "age", "type": "number"}, {"name": "city", "type": "category"}],
    ...        [{"op": "impute", "column": "age", "value": 3.0},
    ...         {"op": "one_hot", "column": "city", "categories": ["A", "B"]}]).tolist()
    [[1.0, 0.0, 1.0], [3.0, 0.0, 0.0]]
    """
    parts: list[np.ndarray] = []
    for column in columns:
        own = [op for op in operations if op["column"] == column["name"]]
        if any(op["op"] == "drop" for op in own):
            continue
        if column["name"] not in table.column_names:
            raise UserError(
                "The column {column} is missing",
                hint="The model was trained with the columns {columns}.",
                column=column["name"],
                columns=", ".join(known["name"] for known in columns),
            )
        parts.append(_column(table.column(column["name"]), column, own))
    if not parts:
        raise UserError("The table has no column to learn from", hint="Keep at least one column beside the target.")
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _column(values: pa.ChunkedArray, column: Mapping[str, Any], operations: Operations) -> np.ndarray:
    encoder = next((op for op in operations if op["op"] == "one_hot"), None)
    if encoder is not None:
        fill = next((op["value"] for op in operations if op["op"] == "impute"), None)
        return _one_hot(values, encoder["categories"], fill)
    numbers = to_numbers(values, column["name"])
    for operation in operations:
        if operation["op"] == "impute":
            numbers = np.where(np.isnan(numbers), float(operation["value"]), numbers)
        elif operation["op"] == "standardise":
            numbers = (numbers - operation["mean"]) / operation["std"]
        else:
            raise UserError(
                "The column {column} needs the operation {operation}, which this version does not know",
                column=column["name"],
                operation=str(operation["op"]),
            )
    if np.isnan(numbers).any():
        raise UserError(
            "The column {column} has missing values",
            hint="Put a Normalise block before training: it fills them.",
            column=column["name"],
        )
    return numbers[:, None]


def _one_hot(values: pa.ChunkedArray, categories: Sequence[str], fill: Any) -> np.ndarray:
    texts = as_text(values)
    if fill is not None:
        texts = pc.fill_null(texts, str(fill))
    places = pc.index_in(texts, value_set=pa.array(list(categories), pa.string()))
    indices = np.asarray(pc.fill_null(places, -1).to_numpy(zero_copy_only=False))
    return np.asarray(indices[:, None] == np.arange(len(categories))[None], dtype=np.float32)


def as_text(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values as text; whole numbers without a decimal point, so that 1 and 1.0 are the same category."""
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        whole = np.isnan(numbers) | (numbers == np.floor(numbers))
        if whole.all():
            values = pc.cast(values, pa.int64())
    return pc.cast(values, pa.string())


def to_numbers(values: pa.ChunkedArray, name: str) -> np.ndarray:
    """A column as float64: booleans as 0 and 1, dates as days since 1970-01-01, missing values as NaN.

    Raises
    ------
    UserError
        When it holds text.
    """
    kind = values.type
    if pa.types.is_temporal(kind):
        milliseconds = pc.cast(pc.cast(values, pa.timestamp("ms"), safe=False), pa.int64())
        return np.asarray(pc.divide(pc.cast(milliseconds, pa.float64()), 86_400_000.0).to_numpy(zero_copy_only=False))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        try:
            return np.asarray(pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        except pa.ArrowInvalid:
            raise UserError(
                "The column {column} is text, a network needs numbers",
                hint="Put a Normalise block before training: it turns categories into numbers and drops free text.",
                column=name,
            ) from None
    return np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
