"""A small convolutional network: learns digits in seconds and small photographs in minutes on a CPU.

Runs in the palette's drawer "model"; see :mod:`engine.models.convnet` for the network.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the network."""

    widths: list[int] = param(
        [32, 64, 128], help="Channels of each convolution, from the input to the output", title="Channels"
    )
    dropout: float = param(
        0.0, ge=0, lt=1, help="Share of features dropped before the last layer while training", title="Dropout"
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef


@block("model.convnet", title="Convolutional network", examples=[{}, {"widths": [8, 16], "dropout": 0.1}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained convolutional network; channels and classes follow from the data.

    Parameters
    ----------
    params
        Channels of the convolutions, and dropout.
    ctx
        The run.

    Returns
    -------
    Outputs
        The model, without weights.

    Raises
    ------
    UserError
        When a width is not between 1 and 4096.

    Notes
    -----
    Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 86(11), 1998, with
    batch normalisation (S. Ioffe, C. Szegedy, ICML 2015).

    Examples
    --------
    >>> Params(widths=[16, 32]).widths
    [16, 32]
    """
    if not 1 <= len(params.widths) <= 64 or any(not 1 <= width <= 4096 for width in params.widths):
        raise UserError("A convolution has 1 to 4096 channels, and there are 1 to 64 of them", field="widths")
    config = {"widths": list(params.widths), "dropout": params.dropout}
    spec = ModelSpec(architecture="convnet", config=config, provenance=provenance(ctx))
    return Outputs(save_model(ctx.store, spec))
