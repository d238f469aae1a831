"""A language model with a mixture of experts: every token is sent to a few of many feed-forward parts.

Runs in the palette's drawer "model"; see :mod:`engine.models.moe_lm` for the network.
"""

from __future__ import annotations

from typing import Literal

from engine.errors import UserError
from engine.runtime.language import decoder_config
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.pretrained import Outputs
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the decoder and its experts."""

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
    experts: int = param(8, ge=1, le=256, help="Experts in each layer", title="Experts")
    top_k: int = param(2, ge=1, le=16, help="Experts that each token is sent to", title="Experts for a token")
    capacity_factor: float = param(
        1.25,
        gt=0,
        le=16,
        help="Tokens that an expert takes while training, as a multiple of its fair share; the others pass by",
        title="Capacity",
    )
    balance_weight: float = param(
        0.01, ge=0, le=1, help="Weight of the loss that keeps the experts equally busy", title="Balance", advanced=True
    )


@block(
    "model.moe_lm",
    title="Mixture of experts (language model)",
    examples=[{}, {"layers": 2, "hidden_size": 32, "heads": 4, "experts": 4, "top_k": 1}],
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained decoder with experts; the words follow from the data.

    While it trains, the curves show how busy the experts are and how much is dropped.

    Raises
    ------
    UserError
        When the width cannot be divided among the heads, or a token is to go to more experts than there are.

    Notes
    -----
    Source: W. Fedus, B. Zoph, N. Shazeer, "Switch transformers", JMLR 2022; A. Jiang et al., "Mixtral of
    experts", 2024.

    Examples
    --------
    >>> Params().experts
    8
    """
    if params.top_k > params.experts:
        raise UserError(
            "A token cannot be sent to {top_k} of {experts} experts",
            field="top_k",
            hint="Take more experts, or send each token to fewer.",
            top_k=params.top_k,
            experts=params.experts,
        )
    config = decoder_config(params.size, params.layers, params.hidden_size, params.heads)
    config |= {"dropout": params.dropout, "experts": params.experts, "top_k": params.top_k}
    config |= {"capacity_factor": params.capacity_factor, "balance_weight": params.balance_weight}
    return Outputs(save_model(ctx.store, ModelSpec(architecture="moe_lm", config=config, provenance=provenance(ctx))))
