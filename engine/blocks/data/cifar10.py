"""CIFAR-10: 60,000 colour photos of 32 x 32 pixels in 10 classes, with a test part of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.artifacts import ImagesRef
from engine.blocks.data._source import local
from engine.datasets import write_images
from engine.datasets.cifar import CLASSES, read_cifar10
from engine.datasets.sampling import first_of_each_class
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """Where it is and how much of it."""

    path: str = param(
        "",
        widget="path",
        help="Folder or file that has it: Parquet files, the original binary batches, or one folder for each class; "
        "empty to look for it on this machine and download it otherwise",
    )
    limit: int | None = param(
        None,
        ge=10,
        le=50_000,
        help="Use only so many images of each part, the same number of each class; empty for all",
    )


class Outputs(NamedTuple):
    """What comes out; ``test`` is left out when the source has none."""

    dataset: ImagesRef
    test: ImagesRef | None


@block(
    "data.cifar10",
    title="CIFAR-10",
    resources=("cifar10",),
    examples=[{"limit": 20}],
    skips={"example": "it needs the data set on this machine or a network; tests/engine/data reads a small one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read the training and the test part.

    Returns
    -------
    Outputs
        ``dataset``: the training part, uint8 images (N, 3, 32, 32). ``test``: the test part.

    Raises
    ------
    UserError
        When it is not here and cannot be downloaded, or the path has another data set. The Python version of the
        original is made of pickles and is never opened.

    References
    ----------
    Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images, chapter 3.

    Examples
    --------
    >>> Params(limit=100).limit
    100
    """
    path = local(ctx, params.path) if params.path else ctx.resource("cifar10")

    def pick(labels: np.ndarray) -> np.ndarray:
        return first_of_each_class(labels, params.limit)

    def step(done: int, total: int) -> None:
        ctx.check_cancelled()
        ctx.progress(done, total, "images")

    parts: dict[str, ImagesRef | None] = {}
    for part in ("train", "test"):
        ctx.check_cancelled()
        found = read_cifar10(path, part, pick, step)
        name = "cifar10" if part == "train" else "cifar10 test"
        parts[part] = None if found is None else write_images(ctx.store, found[0], found[1], CLASSES, name=name)
    train = parts["train"]
    if train is None:
        raise UserError(
            "{path} has no training part of CIFAR-10",
            field="path",
            hint="Give the folder that has both parts.",
            path=str(path),
        )
    return Outputs(train, parts["test"])
