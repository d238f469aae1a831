"""Images as artifacts: ``images.npy`` (uint8 NCHW), ``labels.npy`` (int64), perhaps ``names.json``.

Called through :mod:`engine.datasets`. Must not know where the pixels came from.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.artifacts import ArtifactStore, DatasetRef, ImagesRef, Ref
from engine.datasets import previews
from engine.errors import UserError

SCALE = {"op": "scale", "by": 255.0}
BYTES_IN_MEMORY = 16 * 2**20


@dataclass(frozen=True, slots=True)
class ImagesView:
    """Images of a data set or of a view on one; pixels are read when asked for.

    Attributes
    ----------
    images
        uint8 (N_base, C, H, W): all images of the base artifact, mapped from disk, read only.
    labels
        int64 (n,): class of each sample, in the order of the view.
    indices
        int64 (n,): row of ``images`` of each sample.
    classes
        Name of each class.
    meta
        What the artifact says about itself (preprocessing, augmentation, ...).
    """

    images: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    classes: tuple[str, ...]
    meta: dict[str, Any]
    base: Ref

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def take(self, positions: np.ndarray | Sequence[int] | slice) -> np.ndarray:
        """Pixels of some samples: uint8 (b, C, H, W), a copy."""
        return np.asarray(self.images[self.indices[positions]])

    def names(self, positions: np.ndarray | Sequence[int]) -> list[str]:
        """File names of some samples; their row numbers when the data set has no names."""
        rows = self.indices[np.asarray(positions, dtype=np.int64)]
        if "names.json" not in self.base.files:
            return [str(row) for row in rows]
        known = self.base.read_json("names.json")
        return [known[row] for row in rows]


def open_images(ref: DatasetRef) -> ImagesView:
    """Read images or a view on them.

    Raises
    ------
    UserError
        When the data set is a table.
    """
    if not isinstance(ref, ImagesRef):
        raise UserError(
            "This needs images, and the data set is a {kind}",
            hint="Connect a block that gives images, such as Digits or Image folder.",
            kind=ref.kind,
        )
    base, indices = resolve(ref)
    images = np.load(base.path("images.npy"), mmap_mode="r", allow_pickle=False)
    labels = np.load(base.path("labels.npy"), allow_pickle=False)
    if indices is None:
        indices = np.arange(len(labels), dtype=np.int64)
    meta = ref.meta
    return ImagesView(images, labels[indices], indices, tuple(meta["classes"]), meta, base)


def resolve(ref: Ref) -> tuple[Ref, np.ndarray | None]:
    """The base artifact of a view and the rows it shows; None means all of them."""
    refs = ref.refs
    own = np.load(ref.path("indices.npy"), allow_pickle=False) if "indices.npy" in ref.files else None
    if not refs:
        return ref, None
    base, below = resolve(refs[0])
    if below is None:
        return base, own
    return base, below if own is None else below[own]


def write_images(
    store: ArtifactStore,
    images: np.ndarray | Path,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    name: str,
    names: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> ImagesRef:
    """Keep images as an artifact, with its preview.

    Parameters
    ----------
    images
        uint8 (N, C, H, W), or the path of an ``.npy`` file of them.
    labels
        Integers (N,), each below ``len(classes)``.
    name
        Short name of the data set.
    names
        File name of each image, where there are any.
    meta
        More to say, such as ``{"skipped": 3}``.

    Examples
    --------
    >>> import tempfile
    >>> store = ArtifactStore(Path(tempfile.mkdtemp()))
    >>> ref = write_images(store, np.zeros((4, 1, 8, 8), np.uint8), np.array([0, 1, 0, 1]), ["a", "b"], name="tiny")
    >>> ref.meta["shape"], len(open_images(ref))
    ([1, 8, 8], 4)
    """
    array = np.load(images, mmap_mode="r", allow_pickle=False) if isinstance(images, Path) else images
    labels = np.asarray(labels, dtype=np.int64)
    _check(array, labels, classes)
    shown = previews.spread(labels)
    files: dict[str, Path | bytes] = {
        "labels.npy": npy_bytes(labels),
        "preview.json": previews.images_preview(array[shown], [classes[i] for i in labels[shown]], len(labels)),
    }
    if names is not None:
        files["names.json"] = json.dumps(list(names), ensure_ascii=False).encode()
    facts = {
        "task": "classification",
        "name": name,
        "classes": list(classes),
        "count": len(labels),
        "shape": [int(side) for side in array.shape[1:]],
        "preprocessing": [SCALE],
        "augmentation": [],
        **(meta or {}),
    }
    if isinstance(images, Path):
        return store.put(ImagesRef, files={**files, "images.npy": images}, meta=facts)
    if images.nbytes <= BYTES_IN_MEMORY:
        return store.put(ImagesRef, files={**files, "images.npy": npy_bytes(images)}, meta=facts)
    with tempfile.TemporaryDirectory(dir=store.root) as folder:
        path = Path(folder) / "images.npy"
        np.save(path, np.ascontiguousarray(images), allow_pickle=False)
        return store.put(ImagesRef, files={**files, "images.npy": path}, meta=facts)


def _check(images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UserError(
            "Images are whole numbers from 0 to 255 in the order (image, channel, height, width); "
            "these are {dtype} with shape {shape}",
            dtype=str(images.dtype),
            shape=list(images.shape),
        )
    if len(images) == 0:
        raise UserError("The data set has no images")
    if len(images) != len(labels):
        raise UserError("There are {images} images and {labels} labels", images=len(images), labels=len(labels))
    if labels.min() < 0 or labels.max() >= len(classes):
        raise UserError(
            "The labels go from {low} to {high}, and there are {classes} classes",
            low=int(labels.min()),
            high=int(labels.max()),
            classes=len(classes),
        )


def npy_bytes(array: np.ndarray) -> bytes:
    """An array in the bytes of an ``.npy`` file."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()
