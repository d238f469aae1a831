"""Images on their way into a network: decoding files, and the declared operations on batches of tensors.

Called by training, evaluation and prediction, so that all three see the same pixels. An operation is a JSON object
with its name in ``op``; see :func:`affine` and :mod:`engine.learn.augment`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import UserError

MAX_PIXELS = 64 * 2**20


def affine(operations: Sequence[Mapping[str, Any]], channels: int) -> tuple[Tensor, Tensor]:
    """The operations on pixels as one multiplication and one addition per channel.

    Parameters
    ----------
    operations
        ``{"op": "scale", "by": b}`` divides by b; ``{"op": "normalise", "mean": [..], "std": [..]}``.
    channels
        Channels of the images.

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
        else:
            raise UserError(
                "The images need the operation {operation}, which this version does not know",
                operation=str(operation["op"]),
            )
    shape = (1, channels, 1, 1)
    return torch.tensor(factor, dtype=torch.float32).reshape(shape), torch.tensor(summand, dtype=torch.float32).reshape(
        shape
    )


def decode(content: bytes, shape: Sequence[int], name: str = "image") -> np.ndarray:
    """A PNG, JPEG or other image file as pixels of the shape that a model takes.

    Parameters
    ----------
    content
        The file.
    shape
        ``(C, H, W)`` with C of 1 (grey) or 3 (RGB); the image is turned upright, converted and resized.

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
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(array, -1, 0))
