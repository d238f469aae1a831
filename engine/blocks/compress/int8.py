"""Quantise a trained model to INT8 without training.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.int8`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyarrow as pa

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, TableRef
from engine.blocks.compress._quantise import bench, faster, packed, put_report, put_sensitivity
from engine.compress.calibrate import ChosenRange
from engine.compress.int8 import quantize_int8
from engine.compress.ranges import METHODS
from engine.datasets import write_table
from engine.spec import BlockParams, Measured, RunContext, block, param


class Params(BlockParams):
    """How ranges are found."""

    examples: int = param(
        256, ge=8, le=100_000, help="Examples that the ranges of the activations are taken from", title="Examples"
    )
    ranges: Literal["measured", "min_max", "percentile", "least_squares", "entropy"] = param(
        "measured",
        help="How a range is chosen: by the error of what reads the value, or always by one rule",
        title="Ranges",
    )
    correct_biases: bool = param(
        True, help="Shift biases so that each channel's mean stays what it was", title="Correct biases", advanced=True
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    ranges: TableRef
    sensitivity: FigureRef
    report: Measured[MetricsRef]


@block("compress.int8", title="Quantise to INT8", examples=[{}, {"ranges": "min_max", "correct_biases": False}])
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Make a trained model compute in whole numbers of 8 bits, by looking at examples and without training.

    Parameters
    ----------
    params
        How many examples, and how ranges are chosen.
    model
        A trained model for images or rows.
    dataset
        Examples like those in use, such as the training data. Labels are not needed.
    ctx
        The run.

    Returns
    -------
    Outputs
        A model that computes with ONNX Runtime, or the original where that is faster on this machine; a table with the
        range of every value, the rule that gave it and its error; how far the answers move when the weights of one
        layer alone are rounded, as a heat map; and, measured on this machine, sizes, latency of one example before and
        after, and how often both models agree.

    Raises
    ------
    UserError
        When the model has no weights, cannot be taken apart, or there are too few examples.

    Notes
    -----
    Source: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", CVPR 2018; ranges and biases: see :mod:`engine.compress.ranges` and :mod:`engine.compress.calibrate`.

    Examples
    --------
    >>> Params().examples
    256
    """
    methods = tuple(METHODS) if params.ranges == "measured" else (params.ranges,)
    with bench(model, dataset, params.examples, ctx) as found:
        small = quantize_int8(
            found.module, found.batches, methods=methods, correct=params.correct_biases, check=ctx.check_cancelled
        )
        if small.floats:
            ctx.log("Computed in floats: {operators}", operators=", ".join(small.floats))
        made = packed(found, small.graph, "int8", ctx)
        shown = put_sensitivity(found, {}, ctx)
    given = faster(made, model, "INT8", ctx)
    return Outputs(given, _table(ctx, small.ranges), shown, put_report(made, given, ctx))


def _table(ctx: RunContext, ranges: dict[str, ChosenRange]) -> TableRef:
    chosen = list(ranges.values())
    table = pa.table(
        {
            "value": list(ranges),
            "low": [found.low for found in chosen],
            "high": [found.high for found in chosen],
            "rule": [found.method for found in chosen],
            "error": [found.errors[found.method] for found in chosen],
        }
    )
    columns = [
        {"name": name, "type": "category" if name in ("value", "rule") else "number"} for name in table.column_names
    ]
    return write_table(ctx.store, table, columns, name="ranges")
