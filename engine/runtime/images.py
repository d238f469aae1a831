"""Images on their way into a network: decoding files, and the declared operations on batches of tensors.

Called by training, evaluation and prediction, so that all three see the same pixels. An operation is a JSON object
with its name in ``op``. In the order in which they are applied:

``{"op": "fit", "how": "crop", "keep": 0.875}``  how a file of another shape becomes an image of the data set: ``crop``
                                                 cuts what is too much and, with ``keep``, leaves the middle of it;
                                                 ``pad`` adds black; ``stretch`` (also without this operation)
``{"op": "colour", "channels": 3}``              grey images as three equal channels
``{"op": "resize", "size": [224, 224]}``         height and width that the network takes
``{"op": "scale", "by": 255.0}``                 pixels divided by a number
``{"op": "normalise", "mean": [..], "std": [..]}``  (x - mean) / std for each channel

Augmentations are in :mod:`engine.learn.data.augment`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_PIXELS = 64 * 2**20
GEOMETRY = ("colour", "resize")

Operations = Sequence[Mapping[str, Any]]


def geometry(operations: Operations) -> list[Mapping[str, Any]]:
    """Those of the operations that change the shape of images that are in memory.

    >>> geometry([{"op": "resize", "size": [8, 8]}, {"op": "scale", "by": 255.0}])
    [{'op': 'resize', 'size': [8, 8]}]
    """
    return [operation for operation in operations if operation["op"] in GEOMETRY]


def network_shape(operations: Operations, shape: Sequence[int]) -> tuple[int, ...]:
    """Shape of one image as the network takes it.

    >>> network_shape([{"op": "colour", "channels": 3}, {"op": "resize", "size": [224, 224]}], (1, 28, 28))
    (3, 224, 224)
    """
    channels, height, width = shape
    for operation in geometry(operations):
        if operation["op"] == "colour":
            channels = operation["channels"] if channels == 1 else channels
        else:
            height, width = operation["size"]
    return channels, height, width


def arrange(x_BCHW: Tensor, operations: Operations) -> Tensor:
    """Images in the shape that the network takes; see the module's text.

    >>> arrange(torch.zeros(2, 1, 4, 4), [{"op": "colour", "channels": 3}, {"op": "resize", "size": [8, 8]}]).shape
    torch.Size([2, 3, 8, 8])
    """
    channels, height, width = network_shape(operations, x_BCHW.shape[1:])
    if x_BCHW.shape[1] != channels:
        x_BCHW = x_BCHW.expand(-1, channels, -1, -1)
    if x_BCHW.shape[2:] != (height, width):
        x_BCHW = functional.interpolate(x_BCHW.float(), (height, width), mode="bilinear", antialias=True)
    return x_BCHW


def with_fit_of(operations: Operations, data: Operations) -> list[dict[str, Any]]:
    """A model's operations, but files are fitted as those of the data were that it learned from.

    >>> with_fit_of([{"op": "fit", "how": "crop"}, {"op": "scale", "by": 255.0}], [{"op": "fit", "how": "pad"}])
    [{'op': 'fit', 'how': 'pad'}, {'op': 'scale', 'by': 255.0}]
    """
    fits = [dict(operation) for operation in data if operation["op"] == "fit"]
    return fits + [dict(operation) for operation in operations if operation["op"] != "fit"]


def affine(operations: Operations, channels: int) -> tuple[Tensor, Tensor]:
    """The operations on pixels as one multiplication and one addition per channel.

    Parameters
    ----------
    operations
        ``scale`` and ``normalise``; those that change shapes are left out.
    channels
        Channels of the images, as the network takes them.

    Returns
    -------
    tuple of Tensor
        Factor and summand, float32 (1, C, 1, 1): ``x * factor + summand``.

    Raises
    ------
    UserError
        When an operation is not known or has the wrong number of channels.

    Examples
    --------
    >>> factor, summand = affine([{"op": "scale", "by": 255.0}, {"op": "normalise", "mean": [0.5], "std": [0.25]}], 1)
    >>> [round(float(255 * factor + summand), 4), round(float(summand), 4)]
    [2.0, -2.0]
    """
    factor = np.ones(channels)
    summand = np.zeros(channels)
    for operation in operations:
        if operation["op"] == "scale":
            factor, summand = factor / operation["by"], summand / operation["by"]
        elif operation["op"] == "normalise":
            mean, std = np.asarray(operation["mean"], float), np.asarray(operation["std"], float)
            if len(mean) != channels or len(std) != channels:
                raise UserError(
                    "The images have {channels} channels, and they were normalised with {values} values",
                    channels=channels,
                    values=len(mean),
                )
            factor, summand = factor / std, (summand - mean) / std
        elif operation["op"] not in ("fit", *GEOMETRY):
            raise UserError(
                "The images need the operation {operation}, which this version does not know",
                operation=str(operation["op"]),
            )
    shape = (1, channels, 1, 1)
    return torch.tensor(factor, dtype=torch.float32).reshape(shape), torch.tensor(summand, dtype=torch.float32).reshape(
        shape
    )


def decode(content: bytes, shape: Sequence[int], name: str = "image", operations: Operations = ()) -> np.ndarray:
    """A PNG, JPEG or other image file as pixels of the shape that a model takes.

    Parameters
    ----------
    content
        The file.
    shape
        ``(C, H, W)`` with C of 1 (grey) or 3 (RGB); the image is turned upright, converted and fitted.
    operations
        Of the model: ``fit`` says how an image of another shape is fitted.

    Returns
    -------
    numpy.ndarray
        uint8 (C, H, W).

    Raises
    ------
    UserError
        When it is not an image that can be read, or a very large one.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    channels, height, width = shape
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise UserError(
                        "{name} has {width} x {height} pixels, more than {limit} million",
                        name=name, width=opened.width, height=opened.height, limit=MAX_PIXELS // 2**20,
                    )  # fmt: skip
                image = ImageOps.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError("{name} is not an image that can be read", hint="Use a PNG or JPEG file.", name=name) from error
    except Image.DecompressionBombWarning:
        raise UserError("{name} has too many pixels", name=name) from None
    if image.size != (width, height):
        image = _fitted(image, (width, height), operations)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(array, -1, 0))


def _fitted(image: Picture, size: tuple[int, int], operations: Operations) -> Picture:
    from PIL import Image, ImageOps

    how = Image.Resampling.BILINEAR
    operation: Mapping[str, Any] = next((one for one in operations if one["op"] == "fit"), {"how": "stretch"})
    if operation["how"] == "crop":
        return ImageOps.fit(image, size, how, bleed=(1 - operation.get("keep", 1.0)) / 2)
    if operation["how"] == "pad":
        return ImageOps.pad(image, size, how)
    return image.resize(size, how, reducing_gap=2.0)
