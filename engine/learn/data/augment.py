"""Augmentation of images: one random change per image, computed on the whole batch at once.

Called by the training loop, on raw pixels (uint8, before preprocessing), with the global random generator of the
device, which checkpoints keep. The operations are those that the augment block declares; all keys but ``op`` may be
left out:

``{"op": "flip", "probability": 0.5}``  mirror left and right; see :meth:`Augmentation.alternating`
``{"op": "crop", "padding": 4}``        shift by up to ``padding`` pixels; what comes in is black
``{"op": "rotate", "degrees": 10}``     turn by up to ``degrees``; what comes in is black
``{"op": "erase", "size": 8}``          a square of ``size`` pixels becomes the mean grey of its image
``{"op": "brightness", "amount": 0.2}`` multiply by 1 - amount to 1 + amount
``{"op": "contrast", "amount": 0.2}``   multiply the distance to the image's mean by 1 - amount to 1 + amount
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import UserError


class Augmentation:
    """Operations, one after the other; see the module's text."""

    def __init__(self, steps: Sequence[tuple[Callable[..., Tensor], dict[str, Any]]], alternates: bool = False) -> None:
        self._steps = list(steps)
        self._alternates = alternates

    def __call__(self, images_BCHW: Tensor, rows_B: Tensor | None = None, epoch: int = 0) -> Tensor:
        """Change a batch of raw images.

        Parameters
        ----------
        rows_B
            int64 (B,): which examples they are.
        epoch
            From 0.
        """
        for function, arguments in self._steps:
            if self._alternates and function is flip and rows_B is not None:
                images_BCHW = flip_in_turn(images_BCHW, rows_B, epoch)
            else:
                images_BCHW = function(images_BCHW, **arguments)
        return images_BCHW

    def alternating(self) -> Augmentation:
        """The same, but each image is mirrored in every other epoch instead of by chance.

        All that chance does in addition is to show some images twice alike in a row (K. Jordan, "94 % on CIFAR-10 in
        3.29 seconds on a single GPU", 2024, section 3.6).
        """
        return Augmentation(self._steps, alternates=True)


def make_augmentation(operations: Sequence[Mapping[str, Any]]) -> Augmentation | None:
    """One function for all operations, in their order; None when there are none.

    Raises
    ------
    UserError
        When an operation is not known.

    Examples
    --------
    >>> mirror = make_augmentation([{"op": "flip", "probability": 1.0}])
    >>> mirror(torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)).tolist()
    [[[[3, 2, 1]]]]
    """
    steps = []
    for operation in operations:
        if operation["op"] not in _OPERATIONS:
            raise UserError(
                "The augmentation {operation} is not known", hint="Known: {known}.",
                operation=str(operation["op"]), known=", ".join(_OPERATIONS),
            )  # fmt: skip
        arguments = {key: value for key, value in operation.items() if key != "op"}
        steps.append((_OPERATIONS[operation["op"]], arguments))
    return Augmentation(steps) if steps else None


def flip(images_BCHW: Tensor, probability: float = 0.5) -> Tensor:
    """Mirror each image left and right with some probability."""
    mirrored_B = torch.rand(len(images_BCHW), device=images_BCHW.device) < probability
    return torch.where(mirrored_B[:, None, None, None], images_BCHW.flip(-1), images_BCHW)


def flip_in_turn(images_BCHW: Tensor, rows_B: Tensor, epoch: int) -> Tensor:
    """Mirror half of the images, chosen by their numbers, in even epochs, and the other half in odd ones.

    >>> images = torch.tensor([[1, 2], [1, 2], [1, 2], [1, 2]]).reshape(4, 1, 1, 2)
    >>> first, second = (flip_in_turn(images, torch.arange(4), epoch)[:, 0, 0, 0].tolist() for epoch in (0, 1))
    >>> [a + b for a, b in zip(first, second)]
    [3, 3, 3, 3]
    """
    # any fixed choice of a half will do that does not go with what the numbers mean, such as the class
    mixed_B = (rows_B * 2_654_435_761 % 2**32) >> 16
    mirrored_B = (mixed_B + epoch) % 2 == 0
    return torch.where(mirrored_B[:, None, None, None], images_BCHW.flip(-1), images_BCHW)


def crop(images_BCHW: Tensor, padding: int = 4) -> Tensor:
    """Pad with black and cut at a random place (A. Krizhevsky et al., 2012, section 4.1)."""
    count, channels, height, width = images_BCHW.shape
    device = images_BCHW.device
    padded = functional.pad(images_BCHW, (padding, padding, padding, padding))
    top_B = torch.randint(0, 2 * padding + 1, (count, 1), device=device)
    left_B = torch.randint(0, 2 * padding + 1, (count, 1), device=device)
    rows_BH = top_B + torch.arange(height, device=device)
    columns_BW = left_B + torch.arange(width, device=device)
    wide = padded.shape[3]
    places_BHW = (rows_BH[:, :, None] * wide + columns_BW[:, None, :]).reshape(count, 1, -1)
    flat = padded.reshape(count, channels, -1).gather(2, places_BHW.expand(-1, channels, -1))
    return flat.reshape(count, channels, height, width)


def rotate(images_BCHW: Tensor, degrees: float = 10.0) -> Tensor:
    """Turn each image by a random angle about its centre."""
    count, _, height, width = images_BCHW.shape
    angle_B = (2 * torch.rand(count, device=images_BCHW.device) - 1) * math.radians(degrees)
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    zero_B = torch.zeros_like(angle_B)
    turn_B23 = torch.stack(
        [cos_B, -sin_B * height / width, zero_B, sin_B * width / height, cos_B, zero_B], dim=1
    ).reshape(count, 2, 3)
    grid = functional.affine_grid(turn_B23, list(images_BCHW.shape), align_corners=False)
    turned = functional.grid_sample(images_BCHW.float(), grid, align_corners=False)
    return turned.round().to(images_BCHW.dtype)


def erase(images_BCHW: Tensor, size: int = 8) -> Tensor:
    """Hide a random square (T. DeVries, G. W. Taylor, "Cutout", 2017)."""
    count, _, height, width = images_BCHW.shape
    device = images_BCHW.device
    top_B = torch.randint(0, height, (count, 1), device=device) - size // 2
    left_B = torch.randint(0, width, (count, 1), device=device) - size // 2
    rows_H, columns_W = torch.arange(height, device=device), torch.arange(width, device=device)
    inside_BH = (rows_H >= top_B) & (rows_H < top_B + size)
    inside_BW = (columns_W >= left_B) & (columns_W < left_B + size)
    mask_B1HW = (inside_BH[:, :, None] & inside_BW[:, None, :])[:, None]
    grey = images_BCHW.float().mean((2, 3), keepdim=True).round().to(images_BCHW.dtype)
    return torch.where(mask_B1HW, grey, images_BCHW)


def brightness(images_BCHW: Tensor, amount: float = 0.2) -> Tensor:
    """Make each image brighter or darker."""
    return _as_pixels(images_BCHW.float() * _around_one(images_BCHW, amount), images_BCHW.dtype)


def contrast(images_BCHW: Tensor, amount: float = 0.2) -> Tensor:
    """Strengthen or weaken each image's contrast about its mean."""
    pixels = images_BCHW.float()
    mean = pixels.mean((1, 2, 3), keepdim=True)
    return _as_pixels(mean + (pixels - mean) * _around_one(images_BCHW, amount), images_BCHW.dtype)


def _around_one(images_BCHW: Tensor, amount: float) -> Tensor:
    return 1 + amount * (2 * torch.rand(len(images_BCHW), 1, 1, 1, device=images_BCHW.device) - 1)


def _as_pixels(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.round().clamp(0, 255).to(dtype)


_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "flip": flip,
    "crop": crop,
    "rotate": rotate,
    "erase": erase,
    "brightness": brightness,
    "contrast": contrast,
}
