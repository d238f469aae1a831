"""Train an autoencoder: no classes are needed.

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


@block("train.autoencoder", title="Train an autoencoder", needs="gpu", examples=[{"epochs": 2, "batch_size": 8}])
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Train a network to give back what came in, by the mean squared error.

    Parameters
    ----------
    params
        Epochs, batch size, optimiser, schedule, early stopping, checkpoints.
    model
        An autoencoder, untrained or trained.
    dataset
        Images, or rows of a table; a target column is left out.
    validation
        Measured after each epoch; needed for early stopping.
    ctx
        The run. Metrics: ``loss`` and ``learning_rate`` for each step; ``train_loss`` and ``validation_loss`` for each
        epoch.

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
    Source: G. E. Hinton, R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313,
    2006.

    Examples
    --------
    >>> Params(epochs=3).options(task="reconstruction").task
    'reconstruction'
    """
    options = params.options(task="reconstruction")
    fitted = fit(model, dataset, validation, options, ctx, params.wishes, params.left_open)
    return Outputs(fitted.model, fitted.history)
