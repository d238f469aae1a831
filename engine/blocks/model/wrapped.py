"""A module of your own, handed over by the SDK (``Model.wrap``) in the process that has its code.

The network's code lives in that process only, registered there as ``wrapped:...``; this block makes a model of it that
trains, is evaluated and saved like any other. Elsewhere it says what is missing.
"""

from __future__ import annotations

from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.models import find
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Which module, and the weights it had when it was wrapped."""

    architecture: str = param(
        "wrapped:", help="Name under which the SDK registered the module in its process", title="Architecture"
    )
    weights: str | None = param(
        None, widget="artifact", help="File with the weights that the module starts from", title="Weights"
    )


class Outputs(NamedTuple):
    """What it makes."""

    model: ModelRef


@block(
    "model.wrapped",
    title="Your own module",
    hidden=True,
    skips={"example": "it needs a module of the process that wrapped it"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a model of a module that the SDK wrapped.

    Parameters
    ----------
    params
        Name of the module and digest of its weights.
    ctx
        The run.

    Returns
    -------
    Outputs
        The model, with the weights that the module had when it was wrapped.

    Raises
    ------
    UserError
        When this process does not have the module, or the weights are damaged.

    Notes
    -----
    Source: ``deepseek.Model.wrap``. Weights are safetensors; the module itself is never pickled.

    Examples
    --------
    >>> Params(architecture="wrapped:Net-1a2b3c4d").architecture
    'wrapped:Net-1a2b3c4d'
    """
    found = find(params.architecture)
    if params.weights is None:
        raise UserError("The module has no weights", field="weights", hint="Make the block with Model.wrap(module).")
    try:
        weights = load(ctx.store.open(params.weights).read_bytes("content"))
    except SafetensorError as error:
        raise UserError("The weights of the module are damaged: {problem}", problem=str(error)) from None
    return Outputs(save_model(ctx.store, ModelSpec(architecture=found.name), weights))
