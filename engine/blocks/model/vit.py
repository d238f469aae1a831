"""Vision transformer: an image as a sequence of patches.

Runs in the palette's drawer "model"; see :mod:`engine.models.vit` for the network.
"""

from __future__ import annotations

from typing import Literal

from engine.models.vit import SIZES
from engine.runtime.pretrained import ImageModelParams, Outputs, make_vit
from engine.spec import RunContext, block, param


class Params(ImageModelParams):
    """Size, patches, classes and starting weights."""

    size: Literal["tiny", "small", "base"] = param(
        "tiny", help="Width of the network: 5.7, 22 or 86 million weights", title="Size"
    )
    patch_size: int | None = param(
        None,
        ge=1,
        le=64,
        unit="px",
        help="Side of the patches that an image is cut into; empty: it follows from the image, at most 16",
        title="Patch size",
    )
    layers: int | None = param(None, ge=1, le=64, help="Number of layers; empty: 12", title="Layers", advanced=True)
    dropout: float = param(
        0.0, ge=0, lt=1, help="Share of numbers dropped in each layer while training", title="Dropout"
    )


@block("model.vit", title="Vision transformer (ViT)", examples=[{}, {"patch_size": 4, "layers": 2, "num_classes": 5}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a vision transformer, untrained or with given weights; channels, size and classes follow from the data.

    Raises
    ------
    UserError
        When weights do not fit, or public weights are not here and cannot be fetched.

    Notes
    -----
    Source: A. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021; tiny and small: H. Touvron et al.,
    "Training data-efficient image transformers", ICML 2021. Public weights: torchvision's ViT-B/16.

    Examples
    --------
    >>> Params(size="base").patch_size is None
    True
    """
    config = {**SIZES[params.size], "patch_size": params.patch_size, "dropout": params.dropout}
    if params.layers is not None:
        config["layers"] = params.layers
    is_base = params.size == "base" and params.layers in (None, 12)
    return Outputs(make_vit(params, ctx, config, is_base=is_base))
