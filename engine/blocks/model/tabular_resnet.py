"""A residual network for rows of a table: deeper than a perceptron, and as easy to train.

Runs in the palette's drawer "model"; see :mod:`engine.models.tabular_resnet` for the network.
"""

from __future__ import annotations

from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.pretrained import Outputs
from engine.runtime.provenance import provenance
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Shape of the network."""

    layers: int = param(3, ge=1, le=64, help="Number of residual blocks", title="Blocks")
    width: int = param(128, ge=1, le=16_384, help="Width of the stream that every block adds to", title="Width")
    inner_width: int = param(256, ge=1, le=16_384, help="Width inside each block", title="Inner width")
    dropout: float = param(
        0.1, ge=0, lt=1, help="Share of activations dropped inside each block while training", title="Dropout"
    )


@block("model.tabular_resnet", title="Residual network (tables)", examples=[{}, {"layers": 1, "width": 16}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make an untrained residual network for tables; the number of inputs and outputs follows from the data.

    Notes
    -----
    Source: Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko, "Revisiting deep learning models for tabular data",
    NeurIPS 2021.

    Examples
    --------
    >>> Params().layers
    3
    """
    config = {"width": params.width, "inner_widths": [params.inner_width] * params.layers, "dropout": params.dropout}
    spec = ModelSpec(architecture="tabular_resnet", config=config, provenance=provenance(ctx))
    return Outputs(save_model(ctx.store, spec))
