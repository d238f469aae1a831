"""A model of another program: an ONNX file, to be asked and measured here.

Runs in the palette's drawer "model"; see :mod:`engine.runtime.foreign`.
"""

from __future__ import annotations

from typing import Literal

from engine.errors import UserError
from engine.runtime.foreign import onnx_model
from engine.runtime.pretrained import Outputs
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Which file, and what it does not say itself."""

    file: str | None = param(None, widget="artifact", help="The ONNX file that was uploaded", title="ONNX file")
    path: str | None = param(
        None, widget="path", help="Or the path of the file on this machine", title="Path", advanced=True
    )
    task: Literal["classification", "regression"] = param(
        "classification", help="What the outputs are: scores of classes, or one number", title="Task"
    )
    labels: list[str] = param(
        [], help="Names of the classes in the order of the outputs; empty: their numbers", title="Classes"
    )
    pixels: Literal["unit", "imagenet", "raw"] = param(
        "unit",
        help="What an image model wants: pixels from 0 to 1, normalised as for ImageNet, or from 0 to 255",
        title="Pixels",
    )
    columns: list[str] = param(
        [], help="Names of the columns that a table model takes; empty: x1, x2, ...", title="Columns", advanced=True
    )


@block(
    "model.load_onnx",
    title="Load an ONNX file",
    skips={"example": "it needs a file that somebody made; tests/engine/runtime makes one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a model of an ONNX file: it predicts and is evaluated as any other, but is not trained further.

    Parameters
    ----------
    params
        The file, and the names of classes or columns.
    ctx
        The run.

    Returns
    -------
    Outputs
        The model, with the file as its only variant.

    Raises
    ------
    UserError
        When the file cannot be opened, or takes or gives something that is neither images nor rows.

    Notes
    -----
    Source: Open Neural Network Exchange, onnx.ai; computed by ONNX Runtime on the CPU.

    Examples
    --------
    >>> Params(path="model.onnx").pixels
    'unit'
    """
    if params.file:
        content = ctx.store.open(params.file).read_bytes("content")
    elif params.path:
        content = ctx.local_path(params.path).read_bytes()
    else:
        raise UserError("No ONNX file was given", field="file", hint="Upload a file with the ending .onnx.")
    return Outputs(
        onnx_model(ctx, content, task=params.task, labels=params.labels, columns=params.columns, pixels=params.pixels)
    )
