"""Train a model to predict a number.

Runs in the palette's drawer "train"; the loop is :mod:`engine.learn.loop`.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.learn.fit import fit
from engine.learn.params import TrainingParams
from engine.spec import RunContext, block


class Params(TrainingParams):
    """How to train."""


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef


@block(
    "train.regressor",
    title="Train a regressor",
    needs="gpu",
    examples=[{"epochs": 3, "batch_size": 8}, {"epochs": 2, "schedule": "cosine", "gradient_clip": 1.0}],
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Train a model to predict the number in a table's target column, by squared error.

    The target is brought to mean 0 and standard deviation 1 for training; the model answers in its own unit.

    Parameters
    ----------
    params
        Epochs, batch size, optimiser, schedule, early stopping, checkpoints.
    model
        Untrained, or trained: then it goes on from its weights.
    dataset
        A table whose target is a number.
    validation
        Measured after each epoch; needed for early stopping.
    ctx
        The run. Metrics: ``loss`` and ``learning_rate`` for each step; ``train_loss``, ``validation_loss`` and
        ``images_per_s`` (rows) for each epoch.

    Returns
    -------
    Outputs
        The trained model, and its last numbers with those of each epoch in ``history.json``.

    Raises
    ------
    UserError
        When model and data do not fit together, a loss is not a number, or a batch does not fit in memory.

    Notes
    -----
    Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", MIT Press 2016, sections 5.1.4 and 6.2.

    Examples
    --------
    >>> Params().options(task="regression").task
    'regression'
    """
    fitted = fit(model, dataset, validation, params.options(task="regression"), ctx, params.wishes, params.left_open)
    return Outputs(fitted.model, fitted.history)
