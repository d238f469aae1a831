"""Quantise a trained transformer to INT8 with ranges read off each input.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.dynamic`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef
from engine.blocks.compress._quantise import bench, faster, packed, put_report, put_sensitivity, tell_kept
from engine.compress.dynamic import quantize_dynamic
from engine.spec import BlockParams, Measured, RunContext, block, param


class Params(BlockParams):
    """How layers are rounded."""

    examples: int = param(
        128, ge=1, le=100_000, help="Examples that tell which weights matter: what the layers see", title="Examples"
    )
    tables: Literal["measured", "4", "8", "float"] = param(
        "measured",
        help="Bits of tables of words: 4 where that is measured to be enough and else 8, or always the same",
        title="Tables of words",
    )
    blocks: bool = param(
        True,
        help="Round the inputs of a layer block by block where one range for all of them errs too much",
        title="Blocks for hard layers",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    sensitivity: FigureRef
    report: Measured[MetricsRef]


@block("compress.dynamic", title="Quantise to dynamic INT8", examples=[{}, {"tables": "8", "blocks": False}])
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Let the linear layers of a transformer compute in 8 bits, with the range of every input read off itself.

    Parameters
    ----------
    params
        How many examples, and how layers are rounded.
    model
        A trained model with linear layers: a text classifier, a language model, a vision transformer.
    dataset
        Examples like those in use, such as the training data. Labels are not needed.
    ctx
        The run.

    Returns
    -------
    Outputs
        A model that computes with ONNX Runtime, or the original where that is faster on this machine; how far the
        answers move when one layer alone is rounded, as a heat map; and, measured on this machine, sizes, latency of
        one example before and after, and how often both models agree.

    Raises
    ------
    UserError
        When the model has no weights, or no layer that would shrink.

    Notes
    -----
    Source: O. Zafrir et al., "Q8BERT: quantized 8 bit BERT", 2019.

    Examples
    --------
    >>> Params().tables
    'measured'
    """
    with bench(model, dataset, params.examples, ctx) as found:
        small = quantize_dynamic(
            found.module, found.batches, tables=params.tables, blocks=params.blocks, check=ctx.check_cancelled
        )
        tell_kept(small.kept, ctx)
        if small.in_blocks:
            ctx.log(
                "The inputs of {layers} do not bear one range and are rounded block by block",
                layers=", ".join(small.in_blocks),
            )
        made = packed(found, small.module, "int8", ctx)
        shown = put_sensitivity(found, {name: layer.bits for name, layer in small.layers.items()}, ctx)
    given = faster(made, model, "INT8", ctx)
    return Outputs(given, shown, put_report(made, given, ctx))
