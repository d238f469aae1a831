"""A convolutional network made to learn small photographs as fast as a machine allows.

Runs in the palette's drawer "model"; see :mod:`engine.models.speednet` for the network.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the network."""

    widths: list[int] = param([64, 256, 256], help="Channels of each group; each halves the image", title="Channels")
    views: Literal["one", "mirrored", "moved"] = param(
        "moved",
        help="What an answer is the mean of: the image; its mirror image too; or both, moved by a pixel too, which "
        "takes six times as long and is more often right",
        title="Views",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef


@block("model.speednet", title="Speed network", examples=[{}, {"widths": [8, 16], "views": "one"}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained network for small photographs; channels and classes follow from the data.

    Train it with the recipe fast: it brings its own settings.

    Parameters
    ----------
    params
        Channels of the groups, and what an answer is the mean of.
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
    Source: K. Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024.

    Examples
    --------
    >>> Params(widths=[16, 32]).views
    'moved'
    """
    if not 1 <= len(params.widths) <= 6 or any(not 1 <= width <= 4096 for width in params.widths):
        raise UserError("A group has 1 to 4096 channels, and there are 1 to 6 of them", field="widths")
    config = {"widths": list(params.widths), "views": params.views}
    return Outputs(save_model(ctx.store, ModelSpec(architecture="speednet", config=config, provenance=provenance(ctx))))
