"""Quantise a model to INT8 and train it on, with its float self as the teacher.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.qat`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from engine.artifacts import DatasetRef, MetricsRef, ModelRef
from engine.blocks.compress._quantise import Bench, bench, faster, packed, put_report
from engine.compress.int8 import Int8, quantize_int8
from engine.compress.qat import train_int8
from engine.compute.plan import applied
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.distil import DistilOptions
from engine.learn.distil.losses import hidden_difference
from engine.learn.measure.validation import validate
from engine.learn.options import TrainingOptions
from engine.learn.prepare import Prepared, prepare
from engine.spec import BlockParams, Measured, RunContext, block, param


class Params(BlockParams):
    """How long is trained, and how."""

    epochs: int = param(3, ge=1, le=10_000, help="Times that every example is seen", title="Epochs")
    learning_rate: float = param(
        0.0001,
        gt=0,
        le=1,
        help="Highest learning rate of weights, biases and scales; small, since the network knows its task already",
        title="Learning rate",
    )
    batch_size: int = param(64, ge=1, le=65_536, help="Examples in one step", title="Batch size")
    examples: int = param(
        256, ge=8, le=100_000, help="Examples that the first ranges of the activations are taken from", title="Examples"
    )
    temperature: float = param(
        2.0,
        gt=0,
        le=100,
        help="What the scores of both networks are divided by before they are compared",
        title="Temperature",
        advanced=True,
    )
    weight: float = param(
        0.9,
        ge=0,
        le=1,
        help="Share of the loss that comes from the answers of the float network; the rest is that of the true ones",
        title="Weight of the teacher",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    report: Measured[MetricsRef]


@block(
    "compress.qat",
    title="Train in INT8",
    needs="gpu",
    examples=[{"epochs": 1, "batch_size": 8, "examples": 16}],
)
def run(
    params: Params, *, model: ModelRef, dataset: DatasetRef, validation: DatasetRef | None, ctx: RunContext
) -> Outputs:
    """Make a trained model compute in whole numbers of 8 bits, and train it until it answers as it did in floats.

    Parameters
    ----------
    params
        How long and how fast it is trained, and how strongly it follows its float self.
    model
        A trained model for images or rows.
    dataset
        What it was trained on.
    validation
        Examples that decide whether training has helped, and that are reported on; without them, those of the training
        data that the ranges were not taken from.
    ctx
        The run. Metrics: as for the training of the same task.

    Returns
    -------
    Outputs
        A model that computes with ONNX Runtime, or the original where that is faster on this machine; and, measured
        here, the report of every quantisation, with ``loss_before_training`` and ``loss_after_training``. Where
        training has not helped, the model quantised without it.

    Raises
    ------
    UserError
        When the model has no weights, cannot be taken apart, or there are too few examples.

    Notes
    -----
    Source: B. Jacob et al., CVPR 2018; S. Esser et al., "Learned step size quantization", ICLR 2020; see
    :mod:`engine.compress.qat`.

    Examples
    --------
    >>> Params().epochs
    3
    """
    with bench(model, dataset, params.examples, ctx) as found:
        start = quantize_int8(found.module, found.batches, check=ctx.check_cancelled)
    trained, losses = _trained(params, model, dataset, validation, found, start, ctx)
    with bench(model, validation or dataset, 8, ctx) as measured:
        made = packed(measured if validation else found, trained.graph, "int8", ctx)
    given = faster(made, model, "INT8", ctx)
    return Outputs(given, put_report(made, given, ctx, losses))


def _trained(
    params: Params,
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    found: Bench,
    start: Int8,
    ctx: RunContext,
) -> tuple[Int8, dict[str, float]]:
    """The better one of before and after training, and the losses of both."""
    task = str(found.opened.spec.task)
    distil = DistilOptions(params.temperature, params.weight)
    options = TrainingOptions(
        task=task, epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate, distil=distil
    )
    identity = {
        **params.model_dump(),
        "model": model.digest,
        "dataset": dataset.digest,
        "seed": ctx.seed,
        "device": ctx.plan.device,
        "threads": ctx.plan.threads,
    }
    with applied(ctx.plan, ctx.seed) as place:
        ready = prepare(model, dataset, task, place)
        trained = train_int8(
            start, ready.data, options, ctx, ready.module,
            seed=ctx.seed, checkpoints=CheckpointFolder(ctx.workdir / "checkpoints"), identity=identity,
        )  # fmt: skip
        before, after = (_loss(small.graph, ready, validation, found, ctx) for small in (start, trained))
    losses = {"loss_before_training": before, "loss_after_training": after}
    if after <= before:
        return trained, losses
    ctx.warn(
        "Training has not helped: the loss is {after} instead of {before}. The model is quantised without it",
        before=f"{before:.4g}",
        after=f"{after:.4g}",
    )
    return start, losses


def _loss(graph: nn.Module, ready: Prepared, validation: DatasetRef | None, found: Bench, ctx: RunContext) -> float:
    """On the validation data; without any, how far the answers to held examples are from those in floats."""
    if validation is not None:
        data = ready.other(validation, torch.device("cpu")).prepared()
        return validate(graph, data, ready.task, ctx.check_cancelled)["validation_loss"]
    with torch.inference_mode():
        return float(hidden_difference(graph(found.held), found.module(found.held)))
