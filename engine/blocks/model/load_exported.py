"""A ``torch.export`` archive (.pt2), turned into ONNX: opening it can run its author's code, so it takes a permission.

Runs in the palette's drawer "model"; see :mod:`engine.runtime.foreign`. PyTorch unpickles parts of such an archive. So
it is opened once, here, where a run has neither a network nor secrets, by somebody who may run code; what becomes of it
is an ONNX file, which is data.
"""

from __future__ import annotations

from typing import Literal

from engine.errors import UserError
from engine.runtime.foreign import onnx_model, onnx_of_archive
from engine.runtime.pretrained import Outputs
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Which archive, and what it does not say itself."""

    file: str | None = param(None, widget="artifact", help="The .pt2 file that was uploaded", title="Archive")
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
    "model.load_exported",
    title="Load a torch.export archive",
    permission="run_code",
    skips={"example": "it needs a file that somebody made; tests/engine/runtime makes one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Make a model of a torch.export archive: it predicts and is evaluated as any other, but is not trained further.

    Raises
    ------
    UserError
        When the archive cannot be opened, or has operators that ONNX has not.

    Notes
    -----
    Source: ``torch.export.save``. Its documentation says: never load data from an untrusted source.

    Examples
    --------
    >>> Params(path="model.pt2").task
    'classification'
    """
    if params.file:
        archive = ctx.store.open(params.file).path("content")
    elif params.path:
        archive = ctx.local_path(params.path)
    else:
        raise UserError("No archive was given", field="file", hint="Upload a file with the ending .pt2.")
    content = onnx_of_archive(archive)
    return Outputs(
        onnx_model(ctx, content, task=params.task, labels=params.labels, columns=params.columns, pixels=params.pixels)
    )
