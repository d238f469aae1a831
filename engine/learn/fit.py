"""From a model and data sets to a trained model: what the training blocks share.

Called by the training blocks. One process trains here (:mod:`engine.learn.here`), several are started
(:mod:`engine.learn.ranks`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from engine.artifacts import DatasetRef, ModelRef
from engine.compute.plan import applied
from engine.errors import UserError
from engine.learn.here import Fitted, fit_here
from engine.learn.optim.finder import RateCurve, find_learning_rate
from engine.learn.options import TrainingOptions
from engine.learn.prepare import prepare
from engine.learn.ranks import fit_on_ranks
from engine.spec import RunContext


def fit(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    ctx: RunContext,
    wishes: Mapping[str, Any] | None = None,
    left_open: Collection[str] = (),
    teacher: ModelRef | None = None,
) -> Fitted:
    """Train a model on a data set.

    Parameters
    ----------
    model
        Untrained; or trained, to go on from its weights.
    validation
        Measured after each epoch; needed for early stopping.
    wishes
        What overrules the run's plan for this block: see :func:`engine.learn.choosing.block_plan`.
    left_open
        Names of options that nobody chose, for a recipe to set.
    teacher
        A trained model to learn from too, as strongly as ``options.distil`` says.

    Raises
    ------
    UserError
        When model, data and options do not fit together, or the training fails in a known way.
    """
    if options.patience and validation is None:
        raise UserError(
            "Early stopping needs a validation data set",
            field="patience",
            hint="Connect one to the input validation, or set the patience to 0.",
        )
    if options.devices * options.nodes > 1:
        return fit_on_ranks(model, dataset, validation, options, ctx, wishes or {}, left_open, teacher)
    made = fit_here(model, dataset, validation, options, ctx, wishes or {}, left_open, teacher)
    assert made is not None
    return made


def look_for_rate(
    model: ModelRef,
    dataset: DatasetRef,
    options: TrainingOptions,
    ctx: RunContext,
    *,
    steps: int,
    lowest: float,
    highest: float,
) -> RateCurve:
    """Search the learning rate of a training; see :mod:`engine.learn.optim.finder`. The model stays as it is."""

    def told(step: int, rate: float, loss: float) -> None:
        ctx.metric("loss", loss, step)
        ctx.metric("learning_rate", rate, step)
        ctx.progress(step, steps)

    with applied(ctx.plan, ctx.seed) as place:
        ready = prepare(model, dataset, options.task, place)
        return find_learning_rate(
            ready.module, ready.data, options, ctx,
            seed=ctx.seed, steps=steps, lowest=lowest, highest=highest, told=told,
        )  # fmt: skip
