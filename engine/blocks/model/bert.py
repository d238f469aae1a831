"""BERT: an encoder of texts, to tell classes apart or to guess hidden words.

Runs in the palette's drawer "model"; see :mod:`engine.models.bert` for the network.
"""

from __future__ import annotations

from typing import Literal

from engine.errors import UserError
from engine.models.bert import SIZES
from engine.runtime.pretrained import Outputs, make_bert
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Size, pooling and starting weights."""

    size: Literal["tiny", "mini", "small", "medium", "base", "large"] = param(
        "tiny", help="Width and depth of a fresh network: from 2 layers of 128 to 24 layers of 1024", title="Size"
    )
    weights: Literal["none", "minilm", "bert-base-uncased", "file"] = param(
        "none",
        help="Starting weights: none, MiniLM (a small sentence encoder), BERT base, or a file or folder",
        title="Starting weights",
        resources={"minilm": "minilm", "bert-base-uncased": "bert_base_uncased"},
    )
    path: str | None = param(
        None,
        widget="path",
        help="Folder with config.json and model.safetensors, or a file with weights of the chosen size",
        title="Weights folder",
    )
    pooling: Literal["auto", "cls", "mean"] = param(
        "auto",
        help="What a text is summed up as: its first token, or the mean of its tokens; auto: as the weights were made",
        title="Pooling",
        advanced=True,
    )
    layers: int | None = param(
        None, ge=1, le=128, help="Number of layers; empty: as the size has it", title="Layers", advanced=True
    )
    hidden_size: int | None = param(
        None, ge=8, le=16_384, help="Width of each layer; empty: as the size has it", title="Width", advanced=True
    )
    heads: int | None = param(
        None, ge=1, le=128, help="Heads of attention; empty: as the size has it", title="Heads", advanced=True
    )
    dropout: float = param(
        0.1, ge=0, lt=1, help="Share of numbers dropped in each layer while training", title="Dropout"
    )


@block("model.bert", title="BERT", examples=[{}, {"size": "mini", "pooling": "mean"}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a BERT, untrained or with given weights and their tokenizer; the rest follows from the data.

    Raises
    ------
    UserError
        When weights do not fit, or public weights are not here and cannot be fetched; or a width cannot be cut into
        heads.

    Notes
    -----
    Source: J. Devlin et al., "BERT", NAACL 2019; the small sizes: I. Turc et al., "Well-read students learn better",
    2019; MiniLM: W. Wang et al., NeurIPS 2020, as trained by sentence-transformers. Parameter names are those of
    transformers.

    Examples
    --------
    >>> Params(weights="minilm").pooling
    'auto'
    """
    pooling = {} if params.pooling == "auto" else {"pooling": params.pooling}
    shape = _shape(params) if params.weights in ("none", "file") else {}
    config = {**shape, "dropout": params.dropout}
    return Outputs(make_bert(ctx, params.weights, params.path, config, pooling))


def _shape(params: Params) -> dict[str, int]:
    """The size, but for what was chosen."""
    shape = dict(SIZES[params.size])
    if params.hidden_size is not None:
        shape |= {"hidden_size": params.hidden_size, "intermediate_size": 4 * params.hidden_size}
    shape["layers"] = params.layers or shape["layers"]
    shape["heads"] = params.heads or shape["heads"]
    if shape["hidden_size"] % shape["heads"]:
        raise UserError(
            "A width of {width} cannot be cut into {heads} heads",
            field="heads",
            hint="Choose heads that divide the width.",
            width=shape["hidden_size"],
            heads=shape["heads"],
        )
    return shape
