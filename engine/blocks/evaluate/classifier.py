"""Measure a trained classifier.

Runs in the palette's drawer "evaluate". The confusion matrix carries ``samples.json``, whose layout is described in
:mod:`engine.learn.measure.gallery`: a click on a cell shows its examples.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, TableRef, canonical_json
from engine.compute.plan import applied
from engine.datasets import write_table
from engine.errors import UserError
from engine.learn.measure.evaluation import Classified, measure_classifier
from engine.learn.measure.gallery import gallery
from engine.runtime.predictor import Predictor
from engine.runtime.targets import labels_of
from engine.spec import BlockParams, RunContext, block, put_figure


class Params(BlockParams):
    """Nothing to choose."""


class Outputs(NamedTuple):
    """What the block makes."""

    metrics: MetricsRef
    report: TableRef
    confusion: FigureRef
    roc: FigureRef


@block("evaluate.classifier", title="Evaluate a classifier", needs="gpu")
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Measure a trained classifier on examples that it has not seen.

    Parameters
    ----------
    params
        Nothing to choose.
    model
        A trained classifier.
    dataset
        Images or rows with the classes that the model knows.
    ctx
        The run.

    Returns
    -------
    Outputs
        Metrics: ``accuracy`` with its 95 % interval ``accuracy_low`` and ``accuracy_high`` (Wilson), the accuracy of
        always guessing the commonest class ``baseline_accuracy``, ``macro_precision``, ``macro_recall``, ``macro_f1``,
        ``auc`` (mean of each class against the rest), ``loss`` and ``count``. A table with one row for each class; the
        confusion matrix; ROC curves.

    Raises
    ------
    UserError
        When the model is not a trained classifier, or the data does not fit it.

    Notes
    -----
    Source: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006; E. B. Wilson, J. Am.
    Stat. Assoc. 22(158), 1927.

    Examples
    --------
    >>> Params()
    Params()
    """
    with applied(ctx.plan, ctx.seed) as device:
        predictor = Predictor.open(model, device)
        if predictor.spec.task != "classification":
            raise UserError("This is not a classifier", field="model", hint="Use the block Evaluate a regressor.")

        def tell(done: int, total: int) -> None:
            ctx.check_cancelled()
            ctx.progress(done, total, "examples")

        answers = predictor.predict(dataset, tell)
        classes = answers.labels or []
        true = labels_of(dataset, classes)
        measured = measure_classifier(answers.outputs, true, classes)
        best = answers.probabilities.max(1)
        samples = gallery(dataset, true.numpy(), best.indices.numpy(), best.values.numpy(), classes)
    return Outputs(
        metrics=ctx.store.put(
            MetricsRef,
            files={
                "metrics.json": canonical_json(measured.numbers),
                "preview.json": canonical_json({"kind": "metrics", "values": measured.numbers}),
            },
        ),
        report=_report(ctx, measured),
        confusion=put_figure(ctx, measured.confusion, {"samples.json": canonical_json(samples)}),
        roc=put_figure(ctx, measured.roc),
    )


def _report(ctx: RunContext, measured: Classified) -> TableRef:
    table = pa.table(measured.report)
    columns = [
        {
            "name": name,
            "type": "category" if name == "class" else "number",
            "missing": table.column(name).null_count,
            "unique": len(set(table.column(name).to_pylist())),
        }
        for name in table.column_names
    ]
    return write_table(ctx.store, table, columns, name="report")
