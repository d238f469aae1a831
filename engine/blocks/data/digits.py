"""Handwritten digits, 1,797 images of 8 x 8 pixels in 10 classes. They come with the studio and need no network."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.artifacts import ImagesRef
from engine.datasets import write_images
from engine.datasets.sampling import first_of_each_class
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """How much of it."""

    limit: int | None = param(
        None, ge=20, le=1797, help="Use only so many images, the same number of each digit; empty for all"
    )


class Outputs(NamedTuple):
    """What comes out."""

    dataset: ImagesRef


@block("data.digits", title="Digits", examples=[{"limit": 100}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Give the images with their classes ``0`` to ``9``.

    The pixels, 0 to 16 in the source, are stretched to 0 to 255.

    Returns
    -------
    Outputs
        ``dataset``: uint8 images (N, 1, 8, 8) with int64 labels (N,).

    References
    ----------
    Alpaydin, Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.

    Examples
    --------
    >>> import tempfile, types, pathlib
    >>> from engine.artifacts import ArtifactStore
    >>> ctx = types.SimpleNamespace(store=ArtifactStore(pathlib.Path(tempfile.mkdtemp())))
    >>> run(Params(limit=100), ctx=ctx).dataset.meta["shape"]
    [1, 8, 8]
    """
    pixels, labels = read_digits()
    images = np.round(pixels * (255.0 / 16.0)).astype(np.uint8)[:, None]
    kept = first_of_each_class(labels, params.limit)
    classes = [str(digit) for digit in range(10)]
    return Outputs(write_images(ctx.store, images[kept], labels[kept], classes, name="digits"))


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (1797, 8, 8) from 0 to 16 and int64 labels, as scikit-learn carries them.

    The file is read without importing scikit-learn: that takes a second, which is most of the wait for the first curve.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise UserError("The digits come with scikit-learn, which is not installed", hint="Run `make install`.")
    with gzip.open(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as stream:
        table = np.loadtxt(stream, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
