"""A model as a folder that runs without the studio.

Runs in the palette's drawer "export"; see :mod:`engine.runtime.edge` for what is in the folder.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch

from engine.artifacts import DatasetRef, FileRef, ModelRef
from engine.errors import UserError
from engine.runtime.edge import edge_files, write_edge
from engine.runtime.edge.package import SAMPLES
from engine.runtime.examples import load
from engine.runtime.models import read_spec
from engine.runtime.texts import tokenizer_of
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """How the folder is called."""

    name: str = param("model", max_length=80, help="Name of the folder and of its zip file", title="File name")
    variant: str = param(
        "", max_length=80, help="Form of the model that is taken; empty: INT8 where there is one", title="Form",
        advanced=True,
    )  # fmt: skip


class Outputs(NamedTuple):
    """What the block makes."""

    file: FileRef


@block("export.edge", title="Export an edge package", examples=[{"name": "digits"}])
def run(params: Params, *, model: ModelRef, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Write a trained model as one folder that answers with Python, numpy and onnxruntime alone.

    Parameters
    ----------
    params
        Name of the folder, and which form of the model is taken.
    model
        A trained model; one that was compressed keeps its small form.
    dataset
        Examples like those in use: a few go along with their answers, to be compared on the other machine.
    ctx
        The run.

    Returns
    -------
    Outputs
        A zip with the network as ONNX, its preprocessing, its labels and ``run.py``.

    Raises
    ------
    UserError
        When the model is not trained or cannot be written as ONNX, the data does not fit it, or the name is not one for
        a file.

    Notes
    -----
    Source: the format of the network is https://onnx.ai; that of the folder is this project's own.

    Examples
    --------
    >>> Params(name="digits").name
    'digits'
    """
    if not re.fullmatch(r"\w[\w .\-]*", params.name):
        raise UserError(
            "{name} is not a name for a file", field="name", hint="Use letters, digits, - and _.", name=params.name
        )
    spec = read_spec(model)
    if not spec.trained:
        raise UserError("The model is not trained yet", field="model", hint="Connect it to a training block first.")
    examples = load(dataset, spec, torch.device("cpu"), tokenizer_of(model))
    raw = examples.take(torch.arange(min(SAMPLES, len(examples))))
    files = edge_files(model, raw, examples.prepare(raw), params.variant or None)
    path = ctx.workdir / "edge.zip"
    write_edge(files, path, params.name)
    meta = {"filename": f"{params.name}.zip", "type": "application/zip"}
    return Outputs(ctx.store.put(FileRef, files={"content": path}, meta=meta))
