"""Change images at random while training, so that the model learns what does not matter. Nothing is changed on disk."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from engine.artifacts import DatasetRef
from engine.datasets import open_images, previews, with_meta
from engine.datasets.augmented import augmented
from engine.spec import BlockParams, RunContext, block, param

SHOWN = 12


class Params(BlockParams):
    """What may be changed."""

    flip: bool = param(True, help="Mirror left and right, half of the time; not for letters and digits")
    crop: int = param(4, ge=0, le=32, unit="px", help="Shift by up to so many pixels in each direction")
    rotate: float = param(0.0, ge=0, le=180, unit="degrees", help="Turn by up to so much either way")
    brightness: float = param(0.0, ge=0, lt=1, help="Make darker or brighter by up to this share")
    contrast: float = param(0.0, ge=0, lt=1, help="Make flatter or stronger by up to this share")
    cutout: int = param(0, ge=0, le=256, unit="px", help="Blank a square of this side at a random place; 0 for none")


class Outputs(NamedTuple):
    """What comes out."""

    dataset: DatasetRef


@block("data.augment", title="Augment", examples=[{}, {"flip": False, "rotate": 10.0, "cutout": 4}])
def run(params: Params, *, dataset: DatasetRef, ctx: RunContext) -> Outputs:
    """Declare random changes, which training applies to every batch anew.

    Wire it before the training input only: validation and test images stay as they are. The preview shows examples.

    Parameters
    ----------
    dataset
        Images.

    Returns
    -------
    Outputs
        ``dataset``: the same images; ``meta["augmentation"]`` lists the changes.

    Raises
    ------
    UserError
        When the data set is a table.

    References
    ----------
    Krizhevsky, Sutskever, Hinton (2012), ImageNet Classification with Deep Convolutional Neural Networks, section 4.1;
    DeVries, Taylor (2017), Improved Regularization of Convolutional Neural Networks with Cutout.

    Examples
    --------
    >>> operations(Params(flip=True, crop=0, cutout=8))
    [{'op': 'flip', 'probability': 0.5}, {'op': 'erase', 'size': 8}]
    """
    view = open_images(dataset)
    changes = operations(params)
    shown = previews.spread(view.labels, SHOWN)
    changed = augmented(view.take(shown), changes, np.random.default_rng(ctx.seed))
    preview = previews.images_preview(changed, [view.classes[i] for i in view.labels[shown]], len(view))
    known = dataset.meta.get("augmentation") or []
    return Outputs(with_meta(ctx.store, dataset, preview=preview, augmentation=[*known, *changes]))


def operations(params: Params) -> list[dict[str, Any]]:
    """The changes as they are declared, in the order they apply."""
    named: list[tuple[str, str, Any]] = [
        ("flip", "probability", 0.5 if params.flip else 0),
        ("crop", "padding", params.crop),
        ("rotate", "degrees", params.rotate),
        ("brightness", "amount", params.brightness),
        ("contrast", "amount", params.contrast),
        ("erase", "size", params.cutout),
    ]
    return [{"op": op, key: value} for op, key, value in named if value]
