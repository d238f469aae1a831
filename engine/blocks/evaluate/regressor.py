"""Measure a trained regressor.

Runs in the palette's drawer "evaluate".
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, canonical_json
from engine.compute.plan import applied
from engine.errors import UserError
from engine.learn.measure.figures import regression_figure
from engine.learn.measure.metrics import regression_measures
from engine.runtime.predictor import Predictor
from engine.runtime.targets import values_of
from engine.spec import BlockParams, RunContext, block, put_figure


class Params(BlockParams):
    """Nothing to choose."""


class Outputs(NamedTuple):
    """What the block makes."""

    metrics: MetricsRef
    figure: FigureRef


@block("evaluate.regressor", title="Evaluate a regressor", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Measure a trained regressor on rows that it has not seen.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained regressor.
    dataset
        A table with the columns and the target of the training.
    ctx
        The run.

    Returns
    -------
    Outputs
        Metrics in the unit of the target: ``mae`` (mean absolute error), ``rmse`` (root of the mean squared error),
        ``r2`` (share of variance explained), ``baseline_mae`` (always answering the median) and ``count``; and
        predicted against true values as a figure.

    Raises
    ------
    UserError
        When the model is not a trained regressor, or the table does not fit it.

    Notes
    -----
    Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2009, chapter 7.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        target = predictor.spec.target
        if predictor.spec.task != "regression" or target is None:
            raise UserError("This is not a regressor", field="model", hint="Use the block Evaluate a classifier.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "examples")

        predicted = predictor.predict(dataset, tell).outputs.double().numpy()
        true = values_of(dataset, target.name).double().numpy()
    numbers = {**regression_measures(true, predicted), "count": float(len(true))}
    figure = regression_figure(true, predicted, target.name)
    return Outputs(
        metrics=ctx.store.put(
            MetricsRef,
            files={
                "metrics.json": canonical_json(numbers),
                "preview.json": canonical_json({"kind": "metrics", "values": numbers}),
            },
        ),
        figure=put_figure(ctx, figure),
    )
