"""Split a data set into training, validation and test samples.

Called by the executor. Source: R. Kohavi, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model
Selection", IJCAI 1995, section 3 (stratification).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.artifacts import DatasetRef
from engine.datasets import class_labels, count, subset
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """What may be chosen."""

    validation: float = param(0.1, ge=0, le=0.5, help="Share of samples that watch the training; 0 for none")
    test: float = param(0.2, gt=0, le=0.9, help="Share of samples kept aside to judge the model")
    stratify: bool = param(True, help="Keep the share of each class the same in every part")


class Outputs(NamedTuple):
    """What it makes."""

    train: DatasetRef
    validation: DatasetRef | None
    test: DatasetRef


@block("data.split", title="Split", examples=[{}, {"validation": 0.0, "stratify": False}])
def run(params: Params, *, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Split at random, the same way for the same seed.

    Parameters
    ----------
    dataset
        Images or a table.

    Returns
    -------
    Outputs
        Three views of the data set; no sample is copied and none is in two of them.

    Raises
    ------
    UserError
        When a part would be empty.

    Notes
    -----
    Source: Kohavi (1995), section 3. A class with a single sample goes to training.

    Examples
    --------
    >>> parts(np.zeros(10, int), np.random.default_rng(0), 0.1, 0.2)[2].size
    2
    """
    total = count(dataset)
    if params.validation + params.test >= 1:
        raise UserError(
            "Validation and test together take {percent} % of the samples, so nothing is left to train on",
            field="test",
            percent=round(100 * (params.validation + params.test)),
        )
    labels = class_labels(dataset) if params.stratify else None
    if labels is not None:
        sizes = np.bincount(labels)
        classes = dataset.meta["classes"]
        lonely = [classes[i] for i in np.flatnonzero(sizes == 1)]
        if lonely:
            ctx.warn(
                "{count} classes have a single sample, which is used for training: {names}",
                count=len(lonely),
                names=", ".join(lonely[:5]),
            )
    groups = labels if labels is not None else np.zeros(total, dtype=np.int64)
    train, validation, test = parts(groups, np.random.default_rng(ctx.seed), params.validation, params.test)
    if not train.size or not test.size:
        raise UserError(
            "{total} samples are too few to split",
            total=total,
            hint="Take more samples, or make the test share larger.",
        )
    return Outputs(
        subset(ctx.store, dataset, train),
        subset(ctx.store, dataset, validation) if validation.size else None,
        subset(ctx.store, dataset, test),
    )


def parts(
    groups: np.ndarray, generator: np.random.Generator, validation: float, test: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of training, validation and test samples, each group split by the same shares."""
    chosen: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]] = ([], [], [])
    for group in np.unique(groups):
        rows = generator.permutation(np.flatnonzero(groups == group))
        num_test = min(round(len(rows) * test), len(rows) - 1)
        num_validation = min(round(len(rows) * validation), len(rows) - 1 - num_test)
        cuts = (rows[num_test + num_validation :], rows[num_test : num_test + num_validation], rows[:num_test])
        for place, part in zip(chosen, cuts, strict=True):
            place.append(part)
    return tuple(np.sort(np.concatenate(part)) for part in chosen)  # type: ignore[return-value]
