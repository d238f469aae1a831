"""What is to be learned of each example: its class among a model's labels, or a number.

Called by the tasks of training and by evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.artifacts import DatasetRef, TableRef
from engine.datasets import class_labels, open_table
from engine.errors import UserError
from engine.runtime import tables


def labels_of(ref: DatasetRef, classes: Sequence[str]) -> Tensor:
    """The class of every example as its number among ``classes``: int64 (N,), on the CPU.

    The data set may have its classes in another order: names decide.

    Raises
    ------
    UserError
        When it has no classes, or one that is not among ``classes``.
    """
    own = ref.meta.get("classes")
    numbers = class_labels(ref)
    if not own or numbers is None:
        raise UserError(
            "The data set has no classes to compare with",
            field="dataset",
            hint="Use a data set for classification, or a regression block.",
        )
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(own)):
        raise UserError(
            "The labels go from {low} to {high}, and there are {classes} classes",
            field="dataset",
            hint="Labels count from 0 to the number of classes minus one.",
            low=int(numbers.min()),
            high=int(numbers.max()),
            classes=len(own),
        )
    if list(own) == list(classes):
        return torch.from_numpy(np.array(numbers, dtype=np.int64))
    places = {name: number for number, name in enumerate(classes)}
    used = [own[number] for number in np.unique(numbers)]
    unknown = [name for name in used if name not in places]
    if unknown:
        raise UserError(
            "The model does not know the class {unknown}",
            field="dataset",
            hint="It was trained on: {classes}.",
            unknown=str(unknown[0]),
            classes=", ".join(str(name) for name in classes[:20]),
        )
    table = np.array([places.get(name, -1) for name in own], dtype=np.int64)
    return torch.from_numpy(table[numbers])


def values_of(ref: DatasetRef, target: str) -> Tensor:
    """The number to predict of every row: float32 (N,), on the CPU.

    Raises
    ------
    UserError
        When the data set is no table, or its target is not a number or missing in some row.
    """
    if not isinstance(ref, TableRef):
        raise UserError(
            "Regression needs a table with a number to predict, the data set holds {kind}",
            field="dataset",
            hint="Use a classifier for images.",
            kind=ref.kind,
        )
    table = open_table(ref)
    if target not in table.column_names:
        raise UserError("The column {column} is missing", field="dataset", column=target)
    numbers = tables.to_numbers(table.column(target), target)
    missing = int(np.isnan(numbers).sum())
    if missing:
        raise UserError(
            "The target {column} is missing in {missing} rows",
            field="dataset",
            hint="Remove these rows, or choose another target.",
            column=target,
            missing=missing,
        )
    return torch.from_numpy(numbers.astype(np.float32))
