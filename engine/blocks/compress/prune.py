"""Take the least important channels, neurons and heads out of a trained model.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.prune`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import pyarrow as pa

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TableRef, canonical_json
from engine.compress.prune.goal import Wanted
from engine.compress.prune.rounds import prune_in_rounds
from engine.datasets import write_table
from engine.learn.params import TrainingParams
from engine.runtime.models import read_spec
from engine.spec import Measured, RunContext, block, param


class Params(TrainingParams):
    """How much goes, what is ranked by what, and how the rest is trained."""

    target: Literal["ratio", "size", "macs", "latency"] = param(
        "ratio",
        help="What says how much goes: a share of the channels, or what may be left of the size, the multiplications "
        "or the latency on this machine",
        title="Target",
    )
    ratio: float = param(0.3, gt=0, lt=1, help="Share of the channels that goes", title="Ratio")
    remaining: float = param(
        0.5, gt=0, lt=1, help="Share of the size, multiplications or latency that may be left", title="What may be left"
    )
    importance: Literal["measured", "l1", "l2", "taylor", "batch_norm"] = param(
        "measured",
        help="What channels are ranked by: the size of their weights, what the loss would change by without them, or "
        "their factor in batch normalisation; measured tries all and takes what changes the answers least",
        title="Importance",
    )
    scope: Literal["global", "layer"] = param(
        "global",
        help="Take the least important channels wherever they are, or the same share of each layer",
        title="Scope",
    )
    round_to: int = param(
        8,
        ge=1,
        le=256,
        help="Channels that stay are a multiple of this, which processors like; 1: any number",
        title="Round channels to",
    )
    rounds: int = param(1, ge=1, le=100, help="Steps to get there, each with its own training", title="Rounds")
    epochs: int = param(
        3, ge=0, le=100_000, help="Times that every example is seen after each round; 0: no training", title="Epochs"
    )
    learning_rate: float = param(
        0.001, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    teacher: bool = param(True, help="Let the model as it was teach the smaller one", title="Learn from the original")
    max_drop: float | None = param(
        None,
        ge=0,
        le=1,
        help="Accuracy that may be lost on the validation data: a round that loses more is taken back. Empty: any",
        title="Largest loss of accuracy",
    )
    examples: int = param(
        512,
        ge=8,
        le=100_000,
        help="Examples that channels are ranked by and the layers after them mended with",
        title="Examples",
        advanced=True,
    )
    streams: bool = param(
        True,
        help="Let the widths shrink too that several blocks add to, such as the width of a transformer",
        title="Prune shared widths",
        advanced=True,
    )
    mend: bool = param(
        True,
        help="Let the channels that stay say what those that went said, by least squares and without training",
        title="Mend",
        advanced=True,
    )

    def wanted(self) -> Wanted:
        """The same, as pruning in rounds takes it."""
        return Wanted(
            target=self.target,
            remaining=1 - self.ratio if self.target == "ratio" else self.remaining,
            rounds=self.rounds,
            examples=self.examples,
            max_drop=self.max_drop,
            importance=self.importance,
            scope=self.scope,
            round_to=self.round_to,
            streams=self.streams,
            mended=self.mend,
        )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    layers: TableRef
    report: Measured[MetricsRef]


@block(
    "compress.prune",
    title="Prune channels",
    needs="gpu",
    examples=[
        {"ratio": 0.5, "round_to": 1, "epochs": 1, "batch_size": 8, "importance": "taylor"},
        {"target": "macs", "remaining": 0.6, "importance": "l1", "round_to": 1, "epochs": 0},
        {"ratio": 0.5, "scope": "layer", "round_to": 4, "epochs": 0},
    ],
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Make a trained model narrower: whole channels, neurons and heads go, and what is left is trained again.

    Parameters
    ----------
    params
        How much goes, how it is ranked, and how the rest is trained.
    model
        A trained model with weights, of any kind in the palette.
    dataset
        What it was trained on.
    validation
        Set aside: the model is measured on it before and after, and after each round.
    ctx
        The run. Metrics: those of the training, which go on from round to round, and ``accuracy`` after each round.

    Returns
    -------
    Outputs
        A model with weights that trains, is quantised and exported like any other, or the original where that is faster
        on this machine; the number of channels, neurons and heads of each layer before and after; and, measured on
        this machine, size, work, latency and accuracy before and after.

    Raises
    ------
    UserError
        When the model has no weights, its widths are not part of its configuration, a layer would be left without
        channels, or the goal cannot be reached.

    Notes
    -----
    Sources: H. Li et al., "Pruning filters for efficient ConvNets", ICLR 2017; P. Molchanov et al., "Importance
    estimation for neural network pruning", CVPR 2019; Y. He, X. Zhang, J. Sun, "Channel pruning for accelerating very
    deep neural networks", ICCV 2017; G. Fang et al., "DepGraph", CVPR 2023. See :mod:`engine.compress.prune`.

    Examples
    --------
    >>> Params(ratio=0.4).wanted().remaining
    0.6
    """
    task = str(read_spec(model).task)
    options = params.options(task=task) if params.epochs else None
    found = prune_in_rounds(
        model, dataset, validation, params.wanted(), options, ctx, wishes=params.wishes, taught=params.teacher
    )
    table = pa.table(
        {
            "layer": list(found.layers),
            "before": [before for before, _ in found.layers.values()],
            "after": [after for _, after in found.layers.values()],
        }
    )
    columns = [{"name": name, "type": "category" if name == "layer" else "number"} for name in table.column_names]
    files = {
        "metrics.json": canonical_json(found.report),
        "preview.json": canonical_json({"kind": "metrics", "values": found.report}),
    }
    return Outputs(
        found.model, write_table(ctx.store, table, columns, name="layers"), ctx.store.put(MetricsRef, files=files)
    )
