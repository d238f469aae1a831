"""Ask a trained classifier about every example of a data set.

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


@block("predict.classifier", title="Predict classes", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Give every image or row its most probable class.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained classifier.
    dataset
        Images or rows, of the shape that the model was trained on; classes may be missing.
    ctx
        The run.

    Returns
    -------
    Outputs
        One row per example: the predicted class and its probability, beside the true class where it is known.

    Raises
    ------
    UserError
        When the model is not a trained classifier, or the data does not fit it.

    Notes
    -----
    Source: softmax of the outputs, J. S. Bridle, "Probabilistic interpretation of feedforward classification network
    outputs", Neurocomputing, 1990.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        if predictor.spec.task != "classification":
            raise UserError("This is not a classifier", field="model", hint="Use the block Predict numbers.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "examples")

        return Outputs(write_predictions(ctx.store, dataset, predictor.predict(dataset, tell)))
