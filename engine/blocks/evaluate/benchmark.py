"""Measure what models cost and how good they are, side by side on this machine.

Runs in the palette's drawer "evaluate"; the measuring is :mod:`engine.compress.benchmark`. Also behind the command
``deepseek benchmark``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TableRef, canonical_json
from engine.compress.benchmark import benchmark
from engine.compute.plan import applied
from engine.datasets import write_table
from engine.spec import BlockParams, Measured, RunContext, block, param


class Params(BlockParams):
    """How much is asked."""

    examples: int = param(0, ge=0, help="Examples that the accuracy is measured with at most; 0: all", title="Examples")


class Outputs(NamedTuple):
    """What the block makes."""

    report: Measured[MetricsRef]
    table: Measured[TableRef]


@block(
    "evaluate.benchmark",
    title="Benchmark models",
    examples=[{}],
    skips={"deterministic": "it measures with a clock"},
)
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, others: list[ModelRef], ctx: RunContext) -> Outputs:
    """Measure size, latency, throughput, memory and accuracy of models on this machine, in turns.

    Parameters
    ----------
    params
        How many examples are asked.
    model
        A trained model.
    dataset
        Examples with labels that it was not trained on.
    others
        Models to compare it with, such as the one that it was compressed from.
    ctx
        The run.

    Returns
    -------
    Outputs
        The numbers of the model, with ``speed_up`` and ``shrunk`` against the first other one; and a table with one row
        for each model. Latency is that of the CPU, in the runtime that is fastest here; accuracy comes with its 95 %
        interval.

    Raises
    ------
    UserError
        When a model is not trained, or does not fit the data.

    Notes
    -----
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22(158), 1927, for the interval.

    Examples
    --------
    >>> Params().examples
    0
    """
    with applied(ctx.plan.model_copy(update={"device": "cpu"}), ctx.seed):
        rows = benchmark([model, *others], dataset, ctx, examples=params.examples or None)
    numbers = {name: value for name, value in rows[0].items() if isinstance(value, int | float)}
    if others:
        numbers["speed_up"] = rows[1]["p50_ms_1"] / rows[0]["p50_ms_1"]
        numbers["shrunk"] = 1 - rows[0]["size_bytes"] / rows[1]["size_bytes"]
        numbers["drop"] = rows[1]["accuracy"] - rows[0]["accuracy"]
    files = {
        "metrics.json": canonical_json(numbers),
        "rows.json": canonical_json(rows),
        "preview.json": canonical_json({"kind": "metrics", "values": numbers}),
    }
    return Outputs(ctx.store.put(MetricsRef, files=files), _table(ctx, rows))


def _table(ctx: RunContext, rows: list[dict[str, Any]]) -> TableRef:
    names = ["model", *(f"other {number}" for number in range(1, len(rows)))]
    table = pa.table({"model": names, **{key: [row[key] for row in rows] for key in rows[0]}})
    texts = ("model", "runtime")
    columns = [{"name": name, "type": "category" if name in texts else "number"} for name in table.column_names]
    return write_table(ctx.store, table, columns, name="benchmark")
