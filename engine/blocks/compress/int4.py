"""Quantise the weights of a trained model to INT4.

Runs in the palette's drawer "compress"; the method is :mod:`engine.compress.int4`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef
from engine.blocks.compress._quantise import bench, packed, put_report, put_sensitivity, tell_kept
from engine.compress.int4 import quantize_int4
from engine.spec import BlockParams, Measured, RunContext, block, param


class Params(BlockParams):
    """How weights are rounded."""

    examples: int = param(
        128, ge=1, le=100_000, help="Examples that tell which weights matter: what the layers see", title="Examples"
    )
    group: Literal["16", "32", "64", "128"] = param(
        "32", help="Weights of a row that share a scale: fewer are more exact and take more bytes", title="Group"
    )
    tables: bool = param(
        True, help="Round tables of words too, which are most of a small language model", title="Tables of words"
    )
    compensate: bool = param(
        True,
        help="Carry the error of each rounded weight on to those that are still to be rounded",
        title="Carry errors on",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    sensitivity: FigureRef
    report: Measured[MetricsRef]


@block("compress.int4", title="Quantise weights to INT4", examples=[{}, {"group": "16", "compensate": False}])
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Keep the weights of linear layers and tables in 4 bits, by looking at examples and without training.

    For language models and other transformers: what takes their time and memory is reading weights. The rest stays in
    floats; so do convolutions, which INT8 or the mixed method serve better.

    Parameters
    ----------
    params
        How many examples, and how weights are rounded.
    model
        A trained model with linear layers.
    dataset
        Examples like those in use, such as the training data. Labels are not needed.
    ctx
        The run.

    Returns
    -------
    Outputs
        A model that computes with ONNX Runtime; how far the answers move when one layer alone is rounded, as a heat
        map; and, measured on this machine, sizes, latency of one example before and after, how often both models agree,
        and for a language model the perplexity of both.

    Raises
    ------
    UserError
        When the model has no weights, or no layer that would shrink.

    Notes
    -----
    Source: E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained transformers",
    2022.

    Examples
    --------
    >>> Params().group
    '32'
    """
    with bench(model, dataset, params.examples, ctx) as found:
        small = quantize_int4(
            found.module,
            found.batches,
            group=int(params.group),
            tables=params.tables,
            compensate=params.compensate,
            check=ctx.check_cancelled,
        )
        tell_kept(small.kept, ctx)
        made = packed(found, small.module, "int4", ctx)
        shown = put_sensitivity(found, {name: layer.bits for name, layer in small.layers.items()}, ctx)
    if made.is_slower:
        ctx.warn(
            "INT4 is slower than fp32 on this machine: {after} ms instead of {before} ms for one example. "
            "It is {percent} % smaller, so it is kept",
            after=round(made.report["after_ms"], 2),
            before=round(made.report["before_ms"], 2),
            percent=round(100 * made.report["shrunk"]),
        )
    return Outputs(made.model, shown, put_report(made, made.model, ctx))
