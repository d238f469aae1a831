"""Quantise a trained model to a mixture of INT4 and INT8.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.mixed`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef
from engine.blocks.compress._quantise import bench, faster, packed, put_report, tell_kept
from engine.compress.mixed import quantize_mixed
from engine.compress.sensitivity import figure
from engine.spec import BlockParams, Measured, RunContext, block, param
from engine.spec.figures import put_figure


class Params(BlockParams):
    """How bits are shared out."""

    max_error: float = param(
        0.1,
        ge=0,
        le=2,
        help="How far the outputs may move, relative to their spread: more lets more layers have 4 bits",
        title="Most error",
    )
    examples: int = param(
        256, ge=8, le=100_000, help="Examples that ranges and the weights' importance are taken from", title="Examples"
    )
    inputs: Literal["auto", "int8", "float"] = param(
        "auto",
        help="What layers read: whole numbers of 8 bits, floats, or as suits the network",
        title="Inputs of layers",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    sensitivity: FigureRef
    report: Measured[MetricsRef]


@block("compress.mixed", title="Quantise to INT4 and INT8", examples=[{}, {"max_error": 0.5, "inputs": "float"}])
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Give every layer 4 or 8 bits: as few as the answers bear, found without training.

    Parameters
    ----------
    params
        How far the answers may move.
    model
        A trained model. One with convolutions computes in whole numbers, as with INT8; of others the weights are
        rounded.
    dataset
        Examples like those in use, such as the training data. Labels are not needed.
    ctx
        The run.

    Returns
    -------
    Outputs
        A model that computes with ONNX Runtime, or the original where that is faster on this machine; what every layer
        costs at 4 and at 8 bits and which it was given, as a heat map; and, measured on this machine, sizes, latency of
        one example before and after, how often both models agree, and how many layers have 4 bits.

    Raises
    ------
    UserError
        When the model has no weights, cannot be taken apart, or there are too few examples.

    Notes
    -----
    Source: Z. Dong et al., "HAWQ: Hessian aware quantization of neural networks with mixed precision", ICCV 2019.

    Examples
    --------
    >>> Params().max_error
    0.1
    """
    with bench(model, dataset, params.examples, ctx) as found:
        small = quantize_mixed(
            found.module,
            found.batches,
            max_error=params.max_error,
            inputs=params.inputs,
            check=ctx.check_cancelled,
        )
        tell_kept(small.kept, ctx)
        if small.error > params.max_error:
            ctx.warn(
                "The answers move by {found} of their spread even with 8 bits nearly everywhere, {wanted} was allowed",
                found=round(small.error, 3),
                wanted=params.max_error,
            )
        made = packed(found, small.module, "mixed", ctx)
        shown = put_figure(ctx, figure(small.sensitivity, small.bits))
    narrow = sum(bits == 4 for bits in small.bits.values())
    more = {"layers_of_4_bits": float(narrow), "layers_of_8_bits": float(len(small.bits) - narrow)}
    given = faster(made, model, "INT4 and INT8", ctx) if small.inputs == "int8" else made.model
    return Outputs(given, shown, put_report(made, given, ctx, more))
