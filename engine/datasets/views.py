"""Views: some rows of a data set, or the same rows with changed meta. No pixel and no cell is copied.

Called through :mod:`engine.datasets`.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from engine.artifacts import ArtifactStore, DatasetRef, ImagesRef, TextRef
from engine.datasets import previews
from engine.datasets.images import npy_bytes, open_images, resolve
from engine.datasets.tables import open_table
from engine.datasets.texts import open_texts, view_preview
from engine.errors import UserError

D = TypeVar("D", bound=DatasetRef)


def count(ref: DatasetRef) -> int:
    """How many samples a data set has."""
    return int(ref.meta["count"])


def subset(store: ArtifactStore, ref: D, positions: np.ndarray, **meta: Any) -> D:
    """A view of some samples of a data set, in the order of ``positions``.

    Parameters
    ----------
    positions
        Integers (n,): which samples of ``ref``.
    meta
        What differs in the view's meta; ``count`` is set here.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from engine.datasets import open_images, write_images
    >>> store = ArtifactStore(pathlib.Path(tempfile.mkdtemp()))
    >>> images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    >>> ref = write_images(store, images, np.array([0, 1, 0, 1]), ["a", "b"], name="tiny")
    >>> view = open_images(subset(store, ref, np.array([3, 0])))
    >>> view.take([0]).ravel().tolist(), view.labels.tolist()
    ([3], [1, 0])
    """
    if len(positions) == 0:
        raise UserError("A view of a data set needs at least one sample")
    base, rows = resolve(ref)
    positions = np.asarray(positions, dtype=np.int64)
    indices = positions if rows is None else rows[positions]
    facts = {**ref.meta, **meta, "count": len(indices)}
    files = {"indices.npy": npy_bytes(indices)}
    bare = store.put(type(ref), files=files, meta=facts, refs=[base])
    return store.put(type(ref), files={**files, "preview.json": preview_of(bare)}, meta=facts, refs=[base])


def with_meta(store: ArtifactStore, ref: D, *, preview: bytes | None = None, **meta: Any) -> D:
    """The same samples with changed meta, such as preprocessing or augmentation.

    Parameters
    ----------
    preview
        Another ``preview.json``; the one of ``ref`` stays otherwise.
    """
    base, rows = resolve(ref)
    files = {"preview.json": preview or ref.read_bytes("preview.json")}
    if rows is not None:
        files["indices.npy"] = npy_bytes(rows)
    return store.put(type(ref), files=files, meta={**ref.meta, **meta}, refs=[base])


def preview_of(ref: DatasetRef) -> bytes:
    """``preview.json`` of any data set."""
    if isinstance(ref, TextRef):
        return view_preview(open_texts(ref))
    if not isinstance(ref, ImagesRef):
        return previews.table_preview(open_table(ref))
    view = open_images(ref)
    shown = previews.spread(view.labels)
    return previews.images_preview(view.take(shown), [view.classes[i] for i in view.labels[shown]], len(view))


def class_labels(ref: DatasetRef) -> np.ndarray | None:
    """Class of each sample as int64 (n,), in the order of ``meta["classes"]``; None when there are no classes.

    For a table the target's values are written as text and looked up in ``meta["classes"]``.
    """
    if isinstance(ref, ImagesRef):
        return open_images(ref).labels
    if isinstance(ref, TextRef):
        return open_texts(ref).labels
    meta = ref.meta
    if meta.get("task") != "classification" or not meta.get("classes"):
        return None
    from engine.tabular.targets import target_text

    known = {name: number for number, name in enumerate(meta["classes"])}
    values = target_text(open_table(ref).column(meta["target"]))
    strange = [value for value in values if value not in known]
    if strange:
        raise UserError(
            "{count} rows have no class in {column}",
            hint="Leave those rows out before.",
            count=len(strange),
            column=meta["target"],
        )
    return np.array([known[value] for value in values if value is not None], dtype=np.int64)
