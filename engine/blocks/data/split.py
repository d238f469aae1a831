"""Divide a data set into training, validation and test parts, with every class in its share in each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.artifacts import DatasetRef
from engine.datasets import class_labels, count, subset
from engine.datasets.sampling import split_positions
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param

NAMED = 5


class Params(BlockParams):
    """How to divide."""

    validation: float = param(0.1, ge=0, lt=1, help="Share kept to choose between models while training")
    test: float = param(0.2, ge=0, lt=1, help="Share kept to judge the finished model")
    stratify: bool = param(True, help="Give every part its share of every class")
    shuffle: bool = param(True, help="Draw at random; off keeps the order, so the test part comes last", advanced=True)


class Outputs(NamedTuple):
    """What comes out; a part whose share is 0 is left out."""

    train: DatasetRef
    validation: DatasetRef | None
    test: DatasetRef | None


@block("data.split", title="Split", examples=[{}, {"validation": 0.0, "test": 0.25}])
def run(params: Params, *, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Divide a data set into parts that share no sample.

    The parts are views: nothing is copied. The same seed gives the same parts. A class with a single sample stays in
    the training part, and a warning names it.

    Parameters
    ----------
    dataset
        Images or a table.

    Returns
    -------
    Outputs
        ``train``, ``validation``, ``test``: views of ``dataset``.

    Raises
    ------
    UserError
        When nothing would be left to train on, or a part would be empty.

    References
    ----------
    Kohavi (1995), A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection, IJCAI.

    Examples
    --------
    >>> from engine.datasets.sampling import split_positions
    >>> parts = split_positions(100, {"validation": 0.1, "test": 0.2}, labels=None, seed=7)
    >>> [len(positions) for positions in parts.values()]
    [70, 10, 20]
    """
    if params.validation + params.test >= 1:
        raise UserError(
            "Nothing is left to train on: validation {validation} and test {test} take it all",
            field="test",
            hint="Choose smaller shares.",
            validation=params.validation,
            test=params.test,
        )
    shares = {name: getattr(params, name) for name in ("validation", "test") if getattr(params, name)}
    labels = class_labels(dataset) if params.stratify and params.shuffle else None
    total = count(dataset)
    parts = split_positions(total, shares, labels=labels, seed=ctx.seed if params.shuffle else None)
    if labels is not None:
        _warn_of_rare(labels, dataset.meta["classes"], ctx)
    made: dict[str, DatasetRef | None] = {"validation": None, "test": None}
    for name, positions in parts.items():
        if len(positions) == 0:
            raise UserError(
                "The data set has {count} samples: too few for a {part} part",
                field=name if name in shares else "dataset",
                hint="Use more data, or set the share to 0.",
                count=total,
                part="training" if name == "rest" else name,
            )
        made[name] = subset(ctx.store, dataset, positions)
    train = made.pop("rest")
    assert train is not None
    return Outputs(train, made["validation"], made["test"])


def _warn_of_rare(labels: np.ndarray, classes: list[str], ctx: RunContext) -> None:
    """A class with one sample cannot be in two parts."""
    numbers, counts = np.unique(labels, return_counts=True)
    rare = [classes[number] for number in numbers[counts == 1]]
    if rare:
        ctx.warn(
            "{count} classes have a single sample, which stays in the training part: {classes}",
            count=len(rare),
            classes=", ".join(rare[:NAMED]),
        )
