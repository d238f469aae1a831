"""A multi-layer perceptron: for tables, and for small images.

Runs in the palette's drawer "model"; see :mod:`engine.models.mlp` for the network.
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

    hidden: list[int] = param(
        [256, 128], help="Width of each hidden layer, from the input to the output", title="Hidden layers"
    )
    dropout: float = param(0.0, ge=0, lt=1, help="Share of activations dropped while training", title="Dropout")


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef


@block("model.mlp", title="Perceptron (MLP)", examples=[{}, {"hidden": [16], "dropout": 0.1}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained perceptron; the number of inputs and outputs follows from the data.

    Parameters
    ----------
    params
        Widths of the hidden layers, and dropout.
    ctx
        The run.

    Returns
    -------
    Outputs
        The model, without weights.

    Raises
    ------
    UserError
        When a width is not between 1 and 16384.

    Notes
    -----
    Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
    Nature 323, 1986.

    Examples
    --------
    >>> Params(hidden=[64]).hidden
    [64]
    """
    if len(params.hidden) > 64 or any(not 1 <= width <= 16384 for width in params.hidden):
        raise UserError("A hidden layer has 1 to 16384 units, and there are at most 64 layers", field="hidden")
    config = {"hidden": list(params.hidden), "dropout": params.dropout}
    return Outputs(save_model(ctx.store, ModelSpec(architecture="mlp", config=config, provenance=provenance(ctx))))
