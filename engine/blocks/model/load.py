"""A model from a bundle that was exported here or saved by ``model.save``, or from a folder of Hugging Face's form.

Runs in the palette's drawer "model"; see :mod:`engine.runtime.bundle` and :mod:`engine.runtime.weightfiles`.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.runtime.bundle import load_bundle
from engine.runtime.pretrained import folder_model
from engine.runtime.weightfiles import read_folder
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Which bundle."""

    file: str | None = param(
        None, widget="artifact", help="The model bundle: a zip file that was uploaded", title="Bundle"
    )
    path: str | None = param(
        None,
        widget="path",
        help="Or a path on this machine: of a bundle, or of a folder with config.json and model.safetensors",
        title="Path",
        advanced=True,
    )


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef


@block(
    "model.load",
    title="Load a model",
    skips={"example": "it needs a bundle that somebody saved; tests/engine/blocks loads one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read a model bundle, checking every byte of it; or the config and weights of a folder (BERT, ViT, Llama).

    Parameters
    ----------
    params
        The bundle: an uploaded file, or a path; or the path of a folder.
    ctx
        The run.

    Returns
    -------
    Outputs
        The model, with the digest it had when it was saved.

    Raises
    ------
    UserError
        When nothing was given, it is damaged, was changed, or belongs to a newer version; or when the folder holds a
        model of a kind that this version does not have.

    Notes
    -----
    Source: the format is this project's own, see ``docs/architecture.md``; weights are safetensors, never pickle.

    Examples
    --------
    >>> Params(path="model.zip").path
    'model.zip'
    """
    if params.file:
        return Outputs(load_bundle(ctx.store.open(params.file).path("content"), ctx.store))
    if params.path:
        path = ctx.local_path(params.path)
        return Outputs(folder_model(ctx, read_folder(path)) if path.is_dir() else load_bundle(path, ctx.store))
    raise UserError("No model bundle was given", field="file", hint="Upload a zip file that was exported here.")
