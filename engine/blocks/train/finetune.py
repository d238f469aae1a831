"""Fine-tuning: a last layer for your classes first, then the whole network in small steps.

Runs in the palette's drawer "train"; see :mod:`engine.learn.transfer`.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.learn.fit import fit
from engine.learn.options import TrainingOptions
from engine.learn.params import TrainingParams
from engine.learn.transfer import HeadFirst, transfer
from engine.spec import RunContext, block, param


class Params(TrainingParams):
    """How to fine-tune."""

    epochs: int = param(3, ge=1, le=100_000, help="Times that every example is seen", title="Epochs")
    batch_size: int = param(
        32, ge=1, le=65_536, help="Examples in one step; one that does not fit in memory is taken in parts",
        title="Batch size",
    )  # fmt: skip
    learning_rate: float = param(
        0.0001, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    head_epochs: int = param(
        30,
        ge=1,
        le=10_000,
        help="Times that the last layer sees every example before the rest is trained",
        title="Epochs of the last layer",
    )
    label_smoothing: float = param(
        0.1,
        ge=0,
        lt=1,
        help="Share of the target that is spread over all classes, against overconfidence",
        title="Label smoothing",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef


@block(
    "train.finetune",
    title="Fine-tune",
    needs="gpu",
    examples=[{"epochs": 1, "head_epochs": 2, "batch_size": 8}],
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Train a last layer on the features of a network that has learned already, then all of it.

    A fresh last layer would send large, useless gradients through the network and spoil what it knows.

    Parameters
    ----------
    params
        Epochs, batch size, learning rate, and how long the last layer is trained alone.
    model
        A network with weights, such as public ones.
    dataset
        Images, rows or texts with classes.
    validation
        Measured after each epoch.
    ctx
        The run. Metrics: as ``train.classifier``; those of the first training have ``head_`` before their names.

    Returns
    -------
    Outputs
        The trained model, and its last numbers with those of each epoch.

    Raises
    ------
    UserError
        When the model has no weights or no features, or does not fit the data.

    Notes
    -----
    Source: A. Kumar et al., "Fine-tuning can distort pretrained features and underperform out-of-distribution", ICLR
    2022; J. Howard, S. Ruder, "Universal language model fine-tuning for text classification", ACL 2018.

    Examples
    --------
    >>> Params().learning_rate
    0.0001
    """
    first = TrainingOptions(
        epochs=params.head_epochs,
        batch_size=params.batch_size,
        weight_decay=0.1,
        label_smoothing=params.label_smoothing,
    )
    head = transfer(model, dataset, validation, first, cast(RunContext, HeadFirst(ctx)), params.wishes)
    options = params.options(task="classification")
    fitted = fit(head.model, dataset, validation, options, ctx, params.wishes, params.left_open)
    return Outputs(fitted.model, fitted.history)
