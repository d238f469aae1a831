"""Find the learning rate: a short training whose rate rises until the loss does.

Runs in the palette's drawer "train"; the search is :mod:`engine.learn.optim.finder`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, canonical_json
from engine.learn.fit import look_for_rate
from engine.learn.measure.figures import rate_figure
from engine.learn.options import TrainingOptions
from engine.spec import BlockParams, RunContext, block, param
from engine.spec.figures import put_figure


class Params(BlockParams):
    """What to look for."""

    task: Literal["classification", "regression", "language_model", "masked_lm", "reconstruction"] = param(
        "classification", help="What the model is to learn", title="Task"
    )
    batch_size: int = param(64, ge=1, le=65_536, help="Examples in one step, as in the training", title="Batch size")
    optimizer: Literal["adamw", "sgd", "muon"] = param(
        "adamw", help="The optimiser of the training: each wants another rate", title="Optimiser"
    )
    steps: int = param(100, ge=20, le=10_000, help="Steps of the search", title="Steps")
    lowest: float = param(1e-6, gt=0, lt=1, help="Learning rate of the first step", title="Lowest rate", advanced=True)
    highest: float = param(
        10.0, gt=0, le=1000, help="Learning rate of the last step", title="Highest rate", advanced=True
    )
    momentum: float = param(
        0.9, ge=0, lt=1, help="Momentum of SGD and Muon; for AdamW the first of its betas", title="Momentum",
        advanced=True,
    )  # fmt: skip


class Outputs(NamedTuple):
    """What the block makes."""

    figure: FigureRef
    metrics: MetricsRef


@block(
    "train.learning_rate_finder",
    title="Find the learning rate",
    needs="gpu",
    examples=[{"steps": 20, "batch_size": 8}, {"steps": 24, "batch_size": 8, "optimizer": "sgd"}],
)
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Train for a few steps with a learning rate that rises, and suggest the rate at which the loss falls fastest.

    Nothing of it stays: the model is not changed.

    Parameters
    ----------
    params
        The settings of the training to come that its rate depends on.
    model
        Untrained, or trained.
    dataset
        What it is to learn from.
    ctx
        The run. Metrics: ``loss`` and ``learning_rate`` for each step.

    Returns
    -------
    Outputs
        Loss over learning rate, and the number ``suggested_learning_rate``.

    Raises
    ------
    UserError
        When model and data do not fit together, or the loss falls at no rate.

    Notes
    -----
    Source: L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> Params(steps=50).optimizer
    'adamw'
    """
    options = TrainingOptions(
        task=params.task, batch_size=params.batch_size, optimizer=params.optimizer, momentum=params.momentum
    )
    curve = look_for_rate(
        model, dataset, options, ctx, steps=params.steps, lowest=params.lowest, highest=params.highest
    )
    figure = rate_figure(curve.rates, curve.smoothed, curve.suggested)
    numbers = {"suggested_learning_rate": curve.suggested, "steps": float(len(curve.rates))}
    metrics = ctx.store.put(MetricsRef, files={"metrics.json": canonical_json(numbers)})
    return Outputs(put_figure(ctx, figure), metrics)
