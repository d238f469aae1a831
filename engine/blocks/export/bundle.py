"""A model as one file to take away.

Runs in the palette's drawer "export"; see :mod:`engine.runtime.bundle` for the format.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from engine.artifacts import FileRef, ModelRef
from engine.errors import UserError
from engine.runtime.bundle import save_bundle
from engine.runtime.models import WEIGHTS, read_spec
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """How the file is called."""

    name: str = param("model", max_length=80, help="Name of the file, without .zip", title="File name")


class Outputs(NamedTuple):
    """What the block makes."""

    file: FileRef


@block("export.bundle", title="Export a model", examples=[{}, {"name": "digits"}])
def run(params: Params, *, model: ModelRef, ctx: RunContext) -> Outputs:
    """Write a trained model as one zip file: weights as safetensors, everything else as JSON, nothing pickled.

    Parameters
    ----------
    params
        Name of the file.
    model
        A trained model.
    ctx
        The run.

    Returns
    -------
    Outputs
        The bundle. It carries the pipeline, the plan and the versions that made the model, and opens with the block
        Load a model or ``Model.load``.

    Raises
    ------
    UserError
        When the model has no weights, or the name is not one for a file.

    Notes
    -----
    Source: the format is this project's own, see ``docs/architecture.md``; weights: https://github.com/huggingface/safetensors.

    Examples
    --------
    >>> Params(name="digits").name
    'digits'
    """
    if not re.fullmatch(r"\w[\w .\-]*", params.name):
        raise UserError(
            "{name} is not a name for a file", field="name", hint="Use letters, digits, - and _.", name=params.name
        )
    if WEIGHTS not in model.files and not read_spec(model).variants:
        raise UserError("The model has no weights yet", field="model", hint="Train it first.")
    path = ctx.workdir / "bundle.zip"
    save_bundle(model, path)
    return Outputs(
        ctx.store.put(
            FileRef, files={"content": path}, meta={"filename": f"{params.name}.zip", "type": "application/zip"}
        )
    )
