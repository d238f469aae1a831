"""Arrays, tensors and modules of a person's own, brought into the forms that the engine's files have.

Called by ``Dataset.from_arrays``, ``Dataset.from_torch`` and ``Model.predict``. Nothing is pickled on the way. Must not
know what happens with the files.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deepseek.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

CHANNELS = (1, 3, 4)


def to_pixels(images: Any) -> np.ndarray:
    """Images as uint8 (N, C, H, W), where C is 1 or 3.

    Parameters
    ----------
    images
        (N, C, H, W), (N, H, W, C) or (N, H, W); whole numbers from 0 to 255, floats from 0 to 1, or booleans.

    Raises
    ------
    UsageError
        When the shape or the values are others.

    Examples
    --------
    >>> to_pixels(np.full((2, 8, 8, 3), 0.5)).shape, to_pixels(np.full((1, 4, 4), 0.5)).max()
    ((2, 3, 8, 8), np.uint8(128))
    """
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4:
        raise UsageError(
            f"Images have the shape (N, C, H, W), (N, H, W, C) or (N, H, W), these have {tuple(array.shape)}"
        )
    if array.shape[1] not in CHANNELS and array.shape[3] in CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.shape[1] == 4:
        array = array[:, :3]
    return np.ascontiguousarray(_to_bytes(array))


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if np.issubdtype(array.dtype, np.floating) and low >= 0 and high <= 1:
        return (array * 255).round().astype(np.uint8)
    if low >= 0 and high <= 255 and np.array_equal(array, np.round(array)):
        return array.astype(np.uint8)
    raise UsageError(
        f"Pixels are whole numbers from 0 to 255 or floats from 0 to 1, these go from {low:g} to {high:g}",
        hint="Undo the normalisation first: it is part of training (data.normalise).",
    )


def to_classes(labels: np.ndarray, classes: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Labels as int64 and the names of the classes.

    >>> to_classes(np.array(["cat", "ant", "cat"]), None)
    (array([1, 0, 1]), ['ant', 'cat'])
    """
    flat = labels.reshape(-1)
    if np.issubdtype(flat.dtype, np.integer) or flat.dtype == bool:
        numbers = flat.astype(np.int64)
        if len(numbers) and numbers.min() < 0:
            raise UsageError(f"Labels are class numbers from 0, one is {numbers.min()}")
        count = int(numbers.max()) + 1 if len(numbers) else 0
        names = [str(name) for name in (classes if classes is not None else range(count))]
        if count > len(names):
            raise UsageError(f"There are labels up to {count - 1} and {len(names)} names of classes")
        return numbers, names
    words = [str(word) for word in flat.tolist()]
    names = [str(name) for name in classes] if classes is not None else sorted(set(words))
    place = {name: number for number, name in enumerate(names)}
    missing = next((word for word in words if word not in place), None)
    if missing is not None:
        raise UsageError(f"The label {missing!r} is none of the classes", hint=f"Classes: {', '.join(names[:20])}.")
    return np.array([place[word] for word in words], dtype=np.int64), names


def pack_images(images: Any, labels: np.ndarray, classes: Sequence[str] | None) -> bytes:
    """Images and labels as an ``.npz`` file that needs no pickle to read. The same arrays give the same bytes."""
    numbers, names = to_classes(labels, classes)
    stream = io.BytesIO()
    np.savez(stream, images=to_pixels(images), labels=numbers, classes=np.array(names, dtype=np.str_))
    return stream.getvalue()


def frame(rows: np.ndarray, answers: np.ndarray, classes: Sequence[str] | None) -> pd.DataFrame:
    """Rows of numbers (N, features) with their answers as a table with columns ``x0``, ``x1``, ... and ``target``."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=[f"x{number}" for number in range(rows.shape[1])])
    if np.issubdtype(answers.dtype, np.floating):
        table["target"] = answers.reshape(-1)
    else:
        numbers, names = to_classes(answers, classes)
        table["target"] = [names[number] for number in numbers]
    return table


def read_torch(dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """Every (example, label) pair of a ``torch.utils.data.Dataset``."""
    try:
        count = len(dataset)
    except TypeError:
        raise UsageError(
            "The data set has no length", hint="Give a map-style data set, with __len__ and __getitem__."
        ) from None
    if count == 0:
        raise UsageError("The data set is empty")
    pairs = [dataset[index] for index in range(count)]
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        raise UsageError("Every item of the data set is an (example, label) pair")
    examples = [np.asarray(example) for example, _ in pairs]
    shapes = {example.shape for example in examples}
    if len(shapes) > 1:
        raise UsageError(
            f"The examples have different shapes: {', '.join(map(str, sorted(shapes)[:3]))}",
            hint="Resize them first.",
        )
    return np.stack(examples), np.asarray([np.asarray(label).item() for _, label in pairs])
