"""Train a model to tell classes apart.

Runs in the palette's drawer "train"; the loop is :mod:`engine.learn.loop`.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.learn.fit import fit
from engine.learn.params import TrainingParams
from engine.spec import RunContext, block, param

_REGULARISATION = "Regularisation"


class Params(TrainingParams):
    """How to train."""

    label_smoothing: float = param(
        0.0,
        ge=0,
        lt=1,
        help="Share of the target that is spread over all classes, against overconfidence",
        title="Label smoothing",
        advanced=True,
        group=_REGULARISATION,
    )
    mixup: float = param(
        0.0,
        ge=0,
        le=10,
        help="Train on weighted means of two examples; the alpha of their Beta distribution, 0: never",
        title="Mixup",
        advanced=True,
        group=_REGULARISATION,
    )
    cutmix: float = param(
        0.0,
        ge=0,
        le=10,
        help="Paste a rectangle of one image into another; the alpha of its Beta distribution, 0: never",
        title="CutMix",
        advanced=True,
        group=_REGULARISATION,
    )
    alternating_flip: bool = param(
        False,
        help="Where images are mirrored by chance: mirror each of them in every other epoch instead",
        title="Flip in turn",
        advanced=True,
        group=_REGULARISATION,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef


@block(
    "train.classifier",
    title="Train a classifier",
    needs="gpu",
    examples=[
        {"epochs": 3, "batch_size": 8},
        {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.1, "patience": 1},
        {"epochs": 2, "batch_size": 8, "recipe": "fast"},
    ],
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Train a model to tell the classes of a data set apart, by cross-entropy.

    Parameters
    ----------
    params
        Epochs, batch size, optimiser, schedule, early stopping, checkpoints.
    model
        Untrained, or trained: then it goes on from its weights.
    dataset
        Images or rows with classes.
    validation
        Measured after each epoch; needed for early stopping.
    ctx
        The run. Metrics: ``loss`` and ``learning_rate`` for each step; ``train_loss``, ``train_accuracy``,
        ``validation_loss``, ``validation_accuracy`` and ``images_per_s`` for each epoch.

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
    Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep Learning", MIT Press 2016, chapter 8.

    Examples
    --------
    >>> Params(epochs=3).options().epochs
    3
    """
    options = params.options(task="classification")
    fitted = fit(model, dataset, validation, options, ctx, params.wishes, params.left_open)
    return Outputs(fitted.model, fitted.history)
