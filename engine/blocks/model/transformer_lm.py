"""A decoder that continues texts: a small language model in today's form.

Runs in the palette's drawer "model"; see :mod:`engine.models.transformer_lm` for the network.
"""

from __future__ import annotations

from typing import Literal

from engine.runtime.language import decoder_config
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.pretrained import Outputs
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the decoder."""

    size: Literal["tiny", "small", "base"] = param(
        "tiny", help="Width and depth: 4 layers of 128, 6 of 384 or 12 of 768", title="Size"
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
        0.0, ge=0, lt=1, help="Share of numbers dropped in each layer while training", title="Dropout"
    )
    tied: bool = param(True, help="The last layer shares the table of words", title="Tied embeddings", advanced=True)


@block("model.transformer_lm", title="Language model", examples=[{}, {"layers": 2, "hidden_size": 32, "heads": 4}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained decoder with RMSNorm, rotary positions and SwiGLU; the words follow from the data.

    Raises
    ------
    UserError
        When the width cannot be divided among the heads.

    Notes
    -----
    Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, in the form of H. Touvron et al., "LLaMA:
    Open and efficient foundation language models", 2023.

    Examples
    --------
    >>> Params(size="small").layers is None
    True
    """
    config = {**decoder_config(params.size, params.layers, params.hidden_size, params.heads), "tied": params.tied}
    config["dropout"] = params.dropout
    return Outputs(
        save_model(ctx.store, ModelSpec(architecture="transformer_lm", config=config, provenance=provenance(ctx)))
    )
