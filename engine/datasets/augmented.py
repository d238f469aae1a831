"""What augmentation may make of some images, for the preview on the block. Training has its own, on whole batches.

Called by the augment block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def augmented(
    images: np.ndarray, operations: Sequence[Mapping[str, Any]], generator: np.random.Generator
) -> np.ndarray:
    """Change uint8 images (n, C, H, W) as the operations say; the generator decides how much.

    Examples
    --------
    >>> image = np.array([[[[1, 2]]]], dtype=np.uint8)
    >>> augmented(image, [{"op": "flip", "probability": 1.0}], np.random.default_rng(0)).tolist()
    [[[[2, 1]]]]
    """
    changed = [np.asarray(image, dtype=np.float64) for image in images]
    for operation in operations:
        changed = [_one(image, operation, generator) for image in changed]
    return np.stack([np.clip(np.round(image), 0, 255).astype(np.uint8) for image in changed])


def _one(image: np.ndarray, operation: Mapping[str, Any], generator: np.random.Generator) -> np.ndarray:
    op = operation["op"]
    if op == "flip":
        return image[:, :, ::-1] if generator.random() < operation["probability"] else image
    if op == "crop":
        return _shifted(image, operation["padding"], generator)
    if op == "rotate":
        return _rotated(image, generator.uniform(-1, 1) * operation["degrees"])
    if op == "erase":
        return _erased(image, operation["size"], generator)
    factor = 1 + generator.uniform(-1, 1) * operation["amount"]
    return np.asarray(image * factor if op == "brightness" else (image - image.mean()) * factor + image.mean())


def _shifted(image: np.ndarray, padding: int, generator: np.random.Generator) -> np.ndarray:
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    top, left = generator.integers(0, 2 * padding + 1, 2)
    return np.asarray(padded[:, top : top + image.shape[1], left : left + image.shape[2]])


def _rotated(image: np.ndarray, degrees: float) -> np.ndarray:
    from PIL import Image

    turned = [
        np.asarray(Image.fromarray(channel.astype(np.float32)).rotate(degrees, Image.Resampling.BILINEAR))
        for channel in image
    ]
    return np.stack(turned).astype(np.float64)


def _erased(image: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    height, width = image.shape[1:]
    top = max(0, int(generator.integers(0, height)) - size // 2)
    left = max(0, int(generator.integers(0, width)) - size // 2)
    changed = image.copy()
    changed[:, top : top + size, left : left + size] = image.mean()
    return changed
