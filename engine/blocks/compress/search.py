"""Search the best way to compress a model, measured on this machine.

Runs in the palette's drawer "compress"; the search is :mod:`engine.compress.search`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, FigureRef, FrontRef, MetricsRef, ModelRef, canonical_json
from engine.compress.search import Goal, Point, search
from engine.compress.search.picture import pareto_figure
from engine.compute.plan import applied
from engine.spec import BlockParams, Measured, RunContext, block, param, put_figure


class Params(BlockParams):
    """What is sought."""

    max_drop: float = param(
        0.005, ge=0, le=1, help="Accuracy that may be lost: 0.005 is half a point", title="Largest loss of accuracy"
    )
    target: Literal["latency", "size"] = param(
        "latency", help="What the best model is: the fastest for one example, or the smallest", title="Target"
    )
    budget_s: float = param(
        0.0, ge=0, le=1_000_000, unit="s", help="Time for the whole search; 0: until nothing promising is left",
        title="Time budget",
    )  # fmt: skip
    candidates: int = param(
        12, ge=1, le=100, help="How many ways of compressing are tried at most", title="Candidates", advanced=True
    )
    epochs: int = param(
        5, ge=1, le=1000, help="How often a pruned network sees each example, where there is time", title="Epochs",
        advanced=True,
    )  # fmt: skip
    threads: int = param(
        0, ge=0, le=1024, advanced=True, title="Threads to measure with",
        help="Threads that latency is measured with, as many as where the model will answer; 0: those of the run",
    )  # fmt: skip
    examples: int = param(
        256, ge=8, le=100_000, help="Examples that the ranges of the activations are taken from", title="Examples",
        advanced=True,
    )  # fmt: skip


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    front: Measured[FrontRef]
    report: Measured[MetricsRef]
    figure: Measured[FigureRef]


@block(
    "compress.search",
    title="Search the best compression",
    needs="gpu",
    examples=[{"max_drop": 1.0, "budget_s": 20, "candidates": 1}],
    skips={"deterministic": "the best of several models is chosen by what a clock says"},
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, held_out: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Try ways of compressing a trained model, measure each on this machine, and take the best that loses little.

    Parameters
    ----------
    params
        What may be lost, what is sought, and how long.
    model
        A trained model with weights.
    dataset
        What it was trained on: ranges are taken from it, and smaller networks are trained on it, with the model as
        their teacher where that answers nine tenths of it rightly.
    held_out
        Examples with labels that the model was not trained on: candidates are judged with them. Without, a fifth of the
        data set is taken, which the model may know.
    ctx
        The run. Each candidate is a decision of the kind ``"candidate"`` with its numbers.

    Returns
    -------
    Outputs
        The best model, which is the one that was given where nothing else is good enough; all points with the models of
        the front; before and after; the picture of the front.

    Raises
    ------
    UserError
        When the model has no weights, or the data does not fit it.

    Notes
    -----
    Source: the order of the steps follows A. Polino, R. Pascanu, D. Alistarh, "Model compression via distillation and
    quantization", ICLR 2018; the methods name their own sources.

    Examples
    --------
    >>> Params().max_drop
    0.005
    """
    goal = Goal(
        params.max_drop, params.target, params.budget_s or None, params.candidates, params.epochs, params.threads
    )
    with applied(ctx.plan, ctx.seed):
        found = search(model, dataset, held_out, goal, ctx, params.examples)
    files = {
        "front.json": canonical_json([{**point.to_json(), "max_drop": params.max_drop} for point in found.points]),
        "preview.json": canonical_json(_preview(found.points)),
    }
    numbers = {
        "metrics.json": canonical_json(found.report),
        "preview.json": canonical_json({"kind": "metrics", "values": found.report}),
    }
    return Outputs(
        found.model,
        ctx.store.put(FrontRef, files=files, refs=found.front),
        ctx.store.put(MetricsRef, files=numbers),
        put_figure(ctx, pareto_figure(found.points)),
    )


def _preview(points: list[Point]) -> dict[str, object]:
    columns = ["name", "latency_ms", "size_mib", "accuracy", "status"]
    rows = [
        [p.name, round(p.latency_ms, 3), round(p.size_bytes / 2**20, 3), round(p.accuracy, 4), p.reason or p.status]
        for p in points
    ]
    return {"kind": "table", "columns": columns, "rows": rows, "total": len(rows)}
