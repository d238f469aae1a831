"""Measure a trained autoencoder, and find the examples that it gives back worst.

Runs in the palette's drawer "evaluate".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TableRef, canonical_json
from engine.compute.plan import applied
from engine.datasets import class_labels, write_table
from engine.errors import UserError
from engine.learn.measure.reconstruction import reconstruction_errors
from engine.runtime.examples import load
from engine.runtime.predictor import Predictor
from engine.spec import BlockParams, RunContext, block


class Params(BlockParams):
    """Nothing to choose."""


class Outputs(NamedTuple):
    """What the block makes."""

    metrics: MetricsRef
    scores: TableRef


@block("evaluate.autoencoder", title="Evaluate an autoencoder", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Measure how well a trained autoencoder gives back examples; the worst ones are the most unusual.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained autoencoder.
    dataset
        Images or rows as in training.
    ctx
        The run.

    Returns
    -------
    Outputs
        Metrics of the prepared numbers: ``mse`` (mean squared error), ``baseline_mse`` (always answering the mean),
        ``explained`` (share of the variance that comes through), ``worst_mse`` and ``count``. A table with the error of
        each example, the largest first.

    Raises
    ------
    UserError
        When the model is not a trained autoencoder, or the data does not fit it.

    Notes
    -----
    Source: M. Sakurada, T. Yairi, "Anomaly detection using autoencoders with nonlinear dimensionality reduction",
    MLSDA 2014.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        if predictor.spec.task != "reconstruction":
            raise UserError("This is not an autoencoder", field="model", hint="Use the block Evaluate a classifier.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "examples")

        examples = load(dataset, predictor.spec, device).as_floats()
        errors, baseline = reconstruction_errors(predictor.module, examples, tell)
    numbers = {"mse": float(errors.mean()), "baseline_mse": baseline, "worst_mse": float(errors.max())}
    if baseline > 0:
        numbers["explained"] = 1 - numbers["mse"] / baseline
    numbers["count"] = float(len(errors))
    metrics = ctx.store.put(
        MetricsRef,
        files={
            "metrics.json": canonical_json(numbers),
            "preview.json": canonical_json({"kind": "metrics", "values": numbers}),
        },
    )
    return Outputs(metrics, _scores(ctx, dataset, errors))


def _scores(ctx: RunContext, dataset: DatasetRef, errors: np.ndarray) -> TableRef:
    order = np.argsort(-errors, kind="stable")
    columns: dict[str, Any] = {"index": order, "error": errors[order]}
    labels, classes = class_labels(dataset), dataset.meta.get("classes")
    if labels is not None and classes:
        columns["label"] = [classes[number] for number in labels[order]]
    table = pa.table(columns)
    facts = [
        {
            "name": name,
            "type": "category" if name == "label" else "number",
            "missing": 0,
            "unique": len(set(table.column(name).to_pylist())),
        }
        for name in table.column_names
    ]
    return write_table(ctx.store, table, facts, name="reconstruction errors")
