"""Quantise a trained model to INT8 without training.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.int8`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyarrow as pa
import torch
from torch import Tensor

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TableRef, canonical_json
from engine.compress.calibrate import ChosenRange
from engine.compress.int8 import quantize_int8
from engine.compress.pack import pack, preview
from engine.compress.ranges import METHODS
from engine.compute.plan import applied
from engine.datasets import write_table
from engine.errors import UserError
from engine.runtime.examples import load
from engine.runtime.models import WEIGHTS, open_model
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, Measured, RunContext, block, param

BATCH = 64


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
        A model that computes with ONNX Runtime; a table with the range of every value, the rule that gave it and its
        error under each rule; and, measured on this machine, sizes, latency of one example before and after, and how
        often both models agree.

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
    if WEIGHTS not in model.files:
        raise UserError(
            "The model has no weights that could be quantised", field="model", hint="Connect a model trained here."
        )
    opened = open_model(model)
    methods = tuple(METHODS) if params.ranges == "measured" else (params.ranges,)
    with applied(ctx.plan.model_copy(update={"device": "cpu"}), ctx.seed):
        examples = load(dataset, opened.spec, torch.device("cpu"))
        rows = torch.randperm(len(examples))[: params.examples]
        batches = [examples.batch(part) for part in torch.split(rows, BATCH)]
        small = quantize_int8(
            opened.module, batches, methods=methods, correct=params.correct_biases, check=ctx.check_cancelled
        )
        packed = pack(
            ctx.store,
            opened.spec.model_copy(update={"provenance": provenance(ctx, ctx.plan)}),
            opened.module,
            small.graph,
            _some(batches),
            variant="int8",
            threads=ctx.plan.threads,
            check=ctx.check_cancelled,
        )
    report = packed.report
    if report["speed_up"] < 1:
        ctx.warn(
            "INT8 is slower than fp32 on this machine: {after} ms instead of {before} ms for one example",
            after=round(report["after_ms"], 2),
            before=round(report["before_ms"], 2),
        )
    files = {"metrics.json": canonical_json(report), "preview.json": canonical_json(preview(report))}
    return Outputs(packed.model, _table(ctx, small.ranges), ctx.store.put(MetricsRef, files=files))


def _some(batches: list[Tensor]) -> Tensor:
    return torch.cat(batches)[: 4 * BATCH]


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
