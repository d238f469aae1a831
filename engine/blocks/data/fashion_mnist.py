"""Fashion-MNIST: 70,000 grey pictures of clothes, 28 x 28 pixels in 10 classes, with a test part of its own."""

from __future__ import annotations

from typing import NamedTuple

from engine.artifacts import ImagesRef
from engine.blocks.data._source import local
from engine.datasets import write_images
from engine.datasets.idx import read_idx
from engine.datasets.sampling import first_of_each_class
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, block, param

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class Params(BlockParams):
    """Where it is and how much of it."""

    path: str = param(
        "",
        widget="path",
        help="Folder with its four idx files, packed (.gz) or not; empty to look for it on this machine and download "
        "it otherwise",
    )
    limit: int | None = param(
        None,
        ge=10,
        le=60_000,
        help="Use only so many images of each part, the same number of each class; empty for all",
    )


class Outputs(NamedTuple):
    """What comes out."""

    dataset: ImagesRef
    test: ImagesRef


@block(
    "data.fashion_mnist",
    title="Fashion-MNIST",
    resources=("fashion_mnist",),
    examples=[{"limit": 20}],
    skips={"example": "it needs the data set on this machine or a network; tests/engine/data reads a small one"},
)
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Read the training and the test part.

    Returns
    -------
    Outputs
        ``dataset``: the training part, uint8 images (N, 1, 28, 28). ``test``: the test part.

    Raises
    ------
    UserError
        When it is not here and cannot be downloaded, or a file is damaged.

    References
    ----------
    Xiao, Rasul, Vollgraf (2017), Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms.

    Examples
    --------
    >>> Params(limit=100).limit
    100
    """
    folder = local(ctx, params.path) if params.path else ctx.resource("fashion_mnist")
    parts = []
    for part, name in (("train", "fashion_mnist"), ("t10k", "fashion_mnist test")):
        ctx.check_cancelled()
        labels = read_idx(folder, f"{part}-labels-idx1-ubyte", 1)
        images = read_idx(folder, f"{part}-images-idx3-ubyte", 3)
        if len(labels) != len(images):
            raise UserError(
                "There are {images} images and {labels} labels", field="path", images=len(images), labels=len(labels)
            )
        kept = first_of_each_class(labels, params.limit)
        parts.append(write_images(ctx.store, images[kept][:, None], labels[kept], CLASSES, name=name))
    return Outputs(*parts)
