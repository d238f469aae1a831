"""ResNet-50: a residual network of 50 layers, with bottleneck blocks.

Runs in the palette's drawer "model"; see :mod:`engine.models.resnet` for the network.
"""

from __future__ import annotations

from engine.runtime.pretrained import Outputs, StemParams, make_resnet
from engine.spec import RunContext, block


class Params(StemParams):
    """Stem, classes and starting weights."""


@block("model.resnet50", title="ResNet-50", examples=[{}, {"stem": "large", "num_classes": 5}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a ResNet-50, untrained or with given weights; channels and classes follow from the data.

    Raises
    ------
    UserError
        When weights do not fit, or public weights are not here and cannot be fetched.

    Notes
    -----
    Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, table 1.
    Parameter names are those of torchvision, whose public weights load.

    Examples
    --------
    >>> Params().stem
    'small'
    """
    return make_resnet("resnet50", params, ctx)
