"""Ask a trained regressor about every example of a data set.

Runs in the palette's drawer "predict".
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import DatasetRef, ModelRef, PredictionsRef
from engine.compute.plan import applied
from engine.errors import UserError
from engine.learn.measure.predictions import write_predictions
from engine.runtime.predictor import Predictor
from engine.spec import BlockParams, RunContext, block


class Params(BlockParams):
    """Nothing to choose."""


class Outputs(NamedTuple):
    """What the block makes."""

    predictions: PredictionsRef


@block("predict.regressor", title="Predict numbers", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Give every row of a table the number that the model predicts.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained regressor.
    dataset
        A table with the columns that the model was trained on; the target may be missing.
    ctx
        The run.

    Returns
    -------
    Outputs
        One row per example: the predicted value, in the unit of the target.

    Raises
    ------
    UserError
        When the model is not a trained regressor, or the data does not fit it.

    Notes
    -----
    Source: T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2009, section 2.4.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        if predictor.spec.task != "regression":
            raise UserError("This is not a regressor", field="model", hint="Use the block Predict classes.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "examples")

        return Outputs(write_predictions(ctx.store, dataset, predictor.predict(dataset, tell)))
