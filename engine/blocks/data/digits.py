"""Hand-written digits, 8 x 8 pixels: small, built in, and ready at once.

Called by the executor. Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998; the copy that scikit-learn carries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.artifacts import ImagesRef
from engine.datasets import write_images
from engine.spec import BlockParams, RunContext, block, param


class Params(BlockParams):
    """What may be chosen."""

    limit: int | None = param(None, ge=10, le=1797, help="How many of the 1,797 images to take; empty takes all")


class Outputs(NamedTuple):
    """What it makes."""

    dataset: ImagesRef


@block("data.digits", title="Digits", examples=[{"limit": 100}])
def run(params: Params, *, ctx: RunContext) -> Outputs:
    """Load the digits.

    Parameters
    ----------
    params
        ``limit`` takes the first images; they are in random order.

    Returns
    -------
    Outputs
        Images (1797, 1, 8, 8) uint8 with ten classes. The sixteen grey levels are spread over 0 to 255.

    Notes
    -----
    Source: Alpaydin and Kaynak (1998), UCI Machine Learning Repository.

    Examples
    --------
    >>> Params().limit is None
    True
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.round(found.images * (255 / 16)).astype(np.uint8)[: params.limit, None]
    labels = found.target[: params.limit].astype(np.int64)
    return Outputs(write_images(ctx.store, images, labels, [str(i) for i in range(10)], name="digits"))
