"""How the columns of a table become numbers, as declarations that travel with the model.

Called by the normalise block and by training, which fit them on the data they get; whoever trains, evaluates or
serves reads the same declarations. Must not know models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from engine.tabular.targets import class_name

Impute = Literal["mean", "median"]
MOST_CATEGORIES = 64


def fit_encoders(
    table: pa.Table,
    columns: Sequence[Mapping[str, Any]],
    target: str | None,
    *,
    impute: Impute = "median",
    standardise: bool = True,
    most_categories: int = MOST_CATEGORIES,
) -> list[dict[str, Any]]:
    """Fit one encoder for each column but the target.

    Numbers and dates: missing values become the median or mean, then mean 0 and standard deviation 1. Dates count as
    days since 1970. Yes or no: 0 and 1, the commoner one where missing. Categories: one column each, the commonest
    ``most_categories``. Free text and columns of one value are left out.

    Parameters
    ----------
    columns
        As in ``meta["columns"]``.

    Returns
    -------
    list of dict
        Operations in the order they apply: ``impute``, ``standardise``, ``one_hot``, ``drop``.

    References
    ----------
    Hastie, Tibshirani, Friedman (2009), The Elements of Statistical Learning, 2nd ed., sections 9.6 and 11.5.

    Examples
    --------
    >>> table = pa.table({"age": [20.0, None, 40.0], "city": ["a", "b", "a"], "y": [0, 1, 0]})
    >>> kinds = {"age": "number", "city": "category", "y": "number"}
    >>> facts = [{"name": name, "type": kind} for name, kind in kinds.items()]
    >>> for operation in fit_encoders(table, facts, "y"): print(operation)
    {'op': 'impute', 'column': 'age', 'value': 30.0}
    {'op': 'standardise', 'column': 'age', 'mean': 30.0, 'std': 8.16496580927726}
    {'op': 'one_hot', 'column': 'city', 'categories': ['a', 'b']}
    """
    operations: list[dict[str, Any]] = []
    for column in columns:
        name = column["name"]
        if name == target:
            continue
        values = table.column(name).combine_chunks()
        if column["type"] in ("number", "date"):
            operations += _numeric(name, as_numbers(values), impute, standardise)
        elif column["type"] == "boolean":
            operations += _boolean(name, values)
        elif column["type"] == "category":
            operations += _category(name, values, most_categories)
        else:
            operations.append({"op": "drop", "column": name})
    return operations


def as_numbers(values: pa.Array) -> pa.Array:
    """Numbers, dates (days since 1970) and yes or no (1, 0) as float64.

    >>> import datetime
    >>> as_numbers(pa.array([datetime.date(1970, 1, 3), None])).to_pylist()
    [2.0, None]
    """
    if pa.types.is_date(values.type):
        return values.cast(pa.int32()).cast(pa.float64())
    if pa.types.is_timestamp(values.type):
        return pc.divide(values.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 86_400e6)
    return values.cast(pa.float64())


def _numeric(name: str, values: pa.Array, impute: Impute, standardise: bool) -> list[dict[str, Any]]:
    present = values.drop_null().to_numpy()
    if len(present) == 0 or present.min() == present.max():
        return [{"op": "drop", "column": name}]
    import numpy as np

    middle = float(np.median(present) if impute == "median" else present.mean())
    operations: list[dict[str, Any]] = [{"op": "impute", "column": name, "value": middle}]
    if standardise:
        filled = values.fill_null(middle).to_numpy()
        operations.append(
            {"op": "standardise", "column": name, "mean": float(filled.mean()), "std": float(filled.std())}
        )
    return operations


def _boolean(name: str, values: pa.Array) -> list[dict[str, Any]]:
    share = pc.mean(values.cast(pa.int8())).as_py()
    if share is None or share in (0.0, 1.0):
        return [{"op": "drop", "column": name}]
    return [{"op": "impute", "column": name, "value": float(share >= 0.5)}]


def _category(name: str, values: pa.Array, most: int) -> list[dict[str, Any]]:
    counts = pc.value_counts(values.drop_null()).to_pylist()
    if len(counts) < 2:
        return [{"op": "drop", "column": name}]
    kept = sorted(counts, key=lambda entry: (-entry["counts"], str(entry["values"])))[:most]
    return [{"op": "one_hot", "column": name, "categories": sorted(str(class_name(entry["values"])) for entry in kept)}]
