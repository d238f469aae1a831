"""An autoencoder: learns to write images or rows again through a narrow middle.

Runs in the palette's drawer "model"; see :mod:`engine.models.autoencoder` for the network.
"""

from __future__ import annotations

from engine.errors import UserError
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.pretrained import Outputs
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the network."""

    latent_size: int = param(
        32, ge=1, le=65_536, help="Numbers in the middle, which everything must pass through", title="Middle"
    )
    widths: list[int] = param(
        [32, 64, 128],
        help="From the input to the middle. Images: channels of each convolution, which halves the image; rows: width "
        "of each layer",
        title="Widths",
    )


@block("model.autoencoder", title="Autoencoder", examples=[{}, {"latent_size": 4, "widths": [8]}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained autoencoder; its shape follows from the data.

    Raises
    ------
    UserError
        When a width is not between 1 and 4096.

    Notes
    -----
    Source: G. E. Hinton, R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313,
    2006.

    Examples
    --------
    >>> Params().latent_size
    32
    """
    if not 1 <= len(params.widths) <= 16 or any(not 1 <= width <= 4096 for width in params.widths):
        raise UserError("An autoencoder has 1 to 16 widths of 1 to 4096", field="widths")
    config = {"latent_size": params.latent_size, "widths": list(params.widths)}
    return Outputs(
        save_model(ctx.store, ModelSpec(architecture="autoencoder", config=config, provenance=provenance(ctx)))
    )
