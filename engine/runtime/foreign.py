"""Models of other programs as ONNX files: what goes in and comes out is read off the file, the rest is told.

Called by the blocks ``model.load_onnx`` and ``model.load_exported``. An ONNX file is data; only
:func:`onnx_of_archive` opens something that can hold code.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from engine.artifacts import ModelRef
from engine.errors import UserError
from engine.runtime.filemodules import require_onnx
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.pretrained import TORCHVISION, imagenet_labels
from engine.runtime.provenance import provenance
from engine.runtime.variants import add_variant
from engine.spec import RunContext

Pixels = Literal["unit", "imagenet", "raw"]
SCALES: dict[str, list[dict[str, Any]]] = {
    "unit": [{"op": "scale", "by": 255.0}],
    "imagenet": [operation for operation in TORCHVISION if operation["op"] in ("scale", "normalise")],
    "raw": [],
}


def onnx_model(
    ctx: RunContext,
    content: bytes,
    *,
    task: Literal["classification", "regression"],
    labels: Sequence[str],
    columns: Sequence[str],
    pixels: Pixels,
) -> ModelRef:
    """A model that is only an ONNX file.

    Parameters
    ----------
    content
        One input, (N, C, H, W) images or (N, F) rows; the first output is scores (N, K), or a number (N, 1).
    labels
        Names of the classes; empty: those of ImageNet when there are 1000, else their numbers.
    columns
        Names of the columns of a table; empty: ``x1``, ``x2``, ...
    pixels
        What the file wants: 0 to 1, normalised as ImageNet, or 0 to 255.

    Raises
    ------
    UserError
        When the file cannot be opened, or takes or gives something else.
    """
    require_onnx()
    from engine.runtime.onnx_export import Session

    session = Session(content)
    shape = session.input_shape[1:]
    known: dict[str, Any] = {"task": task, "labels": _labels(session.output_shape, labels, task)}
    if len(shape) == 3 and shape[0] in (1, 3):
        sides = [shape[0], *(side or 224 for side in shape[1:])]
        known["input"] = {"kind": "images", "shape": sides}
        known["preprocessing"] = [{"op": "fit", "how": "crop"}, {"op": "resize", "size": sides[1:]}, *SCALES[pixels]]
    elif len(shape) == 1 and shape[0]:
        names = list(columns) or [f"x{number}" for number in range(1, shape[0] + 1)]
        if len(names) != shape[0]:
            raise UserError(
                "The ONNX file takes {expected} numbers, and {found} columns are named",
                field="columns",
                expected=shape[0],
                found=len(names),
            )
        known["input"] = {"kind": "table", "columns": [{"name": name, "type": "number"} for name in names]}
    else:
        raise UserError(
            "The ONNX file takes inputs of the shape {shape}; images (N, 1 or 3, H, W) and rows (N, F) can be given",
            field="file",
            shape=" x ".join("?" if side is None else str(side) for side in session.input_shape),
        )
    spec = ModelSpec(architecture="onnx", provenance=provenance(ctx), **known)
    return add_variant(ctx.store, save_model(ctx.store, spec), "onnx", content)


def onnx_of_archive(path: Path) -> bytes:
    """A ``torch.export`` archive as an ONNX file.

    Opening it runs whatever code its author put there (``torch.export.load`` unpickles). Call it only where that may
    happen: behind the permission to run code, in the sandbox.

    Raises
    ------
    UserError
        When it cannot be opened, or has operators that ONNX has not.
    """
    require_onnx()
    from engine.runtime.onnx_export import quiet

    try:
        with quiet():
            program = torch.export.load(io.BytesIO(path.read_bytes()))
            written = torch.onnx.export(program, dynamo=True, verbose=False, optimize=True)
    except Exception as error:  # what is in the archive decides what is raised
        reason = (str(error) or type(error).__name__).strip().splitlines()[0][:300]
        raise UserError("The archive cannot be turned into ONNX: {problem}", field="file", problem=reason) from error
    assert written is not None
    content: bytes = written.model_proto.SerializeToString()
    return content


def _labels(shape: Sequence[int | None], labels: Sequence[str], task: str) -> list[str] | None:
    if task == "regression":
        return None
    count = shape[-1] if len(shape) == 2 else None
    if labels and count not in (None, len(labels)):
        raise UserError(
            "The ONNX file has {outputs} outputs, and {labels} classes are named",
            field="labels",
            outputs=count,
            labels=len(labels),
        )
    if not labels and count is None:
        raise UserError("The ONNX file does not say how many classes it has", field="labels", hint="Name them.")
    if labels:
        return list(labels)
    return imagenet_labels() if count == 1000 else [str(number) for number in range(count or 0)]
