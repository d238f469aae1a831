"""Transfer learning: keep what a network learned from many examples, and learn your classes from few.

Runs in the palette's drawer "train"; see :mod:`engine.learn.transfer`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.learn.options import TrainingOptions
from engine.learn.transfer import transfer
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """How the last layer is trained."""

    epochs: int = param(30, ge=1, le=10_000, help="Times that the features of every example are seen", title="Epochs")
    batch_size: int = param(32, ge=1, le=65_536, help="Examples in one step", title="Batch size")
    learning_rate: float = param(
        0.001, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    weight_decay: float = param(
        0.1, ge=0, le=10, help="Pull of the weights towards zero", title="Weight decay", advanced=True
    )
    label_smoothing: float = param(
        0.1,
        ge=0,
        lt=1,
        help="Share of the target that is spread over all classes, against overconfidence",
        title="Label smoothing",
        advanced=True,
    )
    device: Literal["auto", "cpu", "cuda"] = param(
        "auto", help="Where to train; auto takes the device of the run", title="Device", advanced=True
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef


@block("train.transfer", title="Transfer learning", needs="gpu", examples=[{"epochs": 3, "batch_size": 8}])
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Compute what a trained network makes of every example, once; then train only a last layer on that.

    A few dozen examples of each class are enough, and it takes seconds to minutes on a CPU. Augmentation has no effect:
    every example is looked at once.

    Parameters
    ----------
    params
        Epochs, batch size, learning rate.
    model
        A network with weights, such as EfficientNet-Lite0 with public ones.
    dataset
        Images, rows or texts with classes.
    validation
        Measured after each epoch.
    ctx
        The run. Metrics: as ``train.classifier``.

    Returns
    -------
    Outputs
        The whole model, ready to be asked or trained on; and its last numbers with those of each epoch.

    Raises
    ------
    UserError
        When the model has no weights or no features, or does not fit the data.

    Notes
    -----
    Source: J. Yosinski et al., "How transferable are features in deep neural networks?", NeurIPS 2014; A. Sharif
    Razavian et al., "CNN features off-the-shelf", CVPR workshops 2014.

    Examples
    --------
    >>> Params().epochs
    30
    """
    wishes = {} if params.device == "auto" else {"device": params.device}
    options = TrainingOptions(**params.model_dump(exclude={"device"}))
    fitted = transfer(model, dataset, validation, options, ctx, wishes)
    return Outputs(fitted.model, fitted.history)
