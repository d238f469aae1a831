"""Images and labels from a NumPy file (.npz), as the SDK sends arrays of a notebook."""

from __future__ import annotations

import zipfile
from typing import NamedTuple

import numpy as np

from engine.artifacts import ImagesRef
from engine.blocks.data._source import input_file
from engine.datasets import write_images
from engine.datasets.archives import Limits, check_zip
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param

LIMITS = Limits(files=100, total_bytes=64 << 30, file_bytes=64 << 30, ratio=2000)


class Params(BlockParams):
    """Which file."""

    file: str = param("", widget="artifact", help="The uploaded .npz file")
    path: str = param("", widget="path", help="Path of the .npz file on this machine, instead of an upload")


class Outputs(NamedTuple):
    """What comes out."""

    dataset: ImagesRef


@block(
    "data.arrays",
    title="Arrays",
    examples=[{}],
    skips={"example": "it needs a file that somebody uploaded; tests/engine/data gives it one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read ``images`` (uint8, N x C x H x W), ``labels`` (whole numbers, N) and perhaps ``classes`` (text).

    Nothing in the file is unpickled: arrays of objects are refused.

    Returns
    -------
    Outputs
        ``dataset``: the images.

    Raises
    ------
    UserError
        When an array is missing, is made of objects, or does not fit the others.

    References
    ----------
    NumPy Enhancement Proposal 1 (2007), A Simple File Format for NumPy Arrays.

    Examples
    --------
    >>> Params(path="digits.npz").path
    'digits.npz'
    """
    path, name = input_file(ctx, params.file, params.path)
    check_zip(path, LIMITS)
    try:
        with np.load(path, allow_pickle=False) as content:
            missing = [key for key in ("images", "labels") if key not in content]
            if missing:
                raise UserError(
                    "The file has no array {name}",
                    field="file",
                    hint="Save it by numpy.savez(file, images=..., labels=...).",
                    name=missing[0],
                )
            images, labels = content["images"], content["labels"]
            classes = [str(text) for text in content["classes"]] if "classes" in content else None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            "This is not a file of arrays that can be read: {problem}",
            field="file",
            hint="Save it by numpy.savez(file, images=..., labels=...); arrays of objects are not allowed.",
            problem=str(error)[:200],
        ) from None
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            "Labels are whole numbers, one for each image; these are {dtype} with shape {shape}",
            field="file",
            dtype=str(labels.dtype),
            shape=list(labels.shape),
        )
    if classes is None:
        classes = [str(number) for number in range(int(labels.max(initial=0)) + 1)]
    return Outputs(write_images(ctx.store, images, labels, classes, name=name))
