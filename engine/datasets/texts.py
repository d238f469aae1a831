"""Texts as artifacts: ``tokens.npy`` (int32 N x T) and ``tokenizer.json``.

Of labelled texts also ``labels.npy`` (int64) and ``texts.parquet``: so a model with another tokenizer can read them.

Called through :mod:`engine.datasets`. Must not know where the texts came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from engine.artifacts import ArtifactStore, DatasetRef, Ref, TextRef
from engine.datasets import previews
from engine.datasets.images import npy_bytes, resolve
from engine.datasets.tables import parquet_bytes
from engine.errors import UserError
from engine.text.tokenizer import TextTokenizer, facts

TOKENIZER = "tokenizer.json"
TextTask = Literal["classification", "language_model", "masked_lm"]


@dataclass(frozen=True)
class TextsView:
    """Texts of a data set or of a view on one; tokens are read when asked for.

    Attributes
    ----------
    tokens
        int32 (N_base, T): all rows of the base artifact, mapped from disk, read only.
    labels
        int64 (n,): class of each text, in the order of the view; None for a corpus.
    indices
        int64 (n,): row of ``tokens`` of each text.
    classes
        Name of each class.
    """

    tokens: np.ndarray
    labels: np.ndarray | None
    indices: np.ndarray
    classes: tuple[str, ...]
    meta: dict[str, Any]
    base: Ref

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int]:
        """(T,) of one text."""
        return (int(self.tokens.shape[1]),)

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """What made the tokens."""
        return TextTokenizer(self.base.read_bytes(TOKENIZER))

    def take(self, positions: np.ndarray | Sequence[int] | slice) -> np.ndarray:
        """Tokens of some texts: int32 (b, T), a copy."""
        return np.asarray(self.tokens[self.indices[positions]])

    def texts(self, positions: np.ndarray | Sequence[int] | slice) -> list[str]:
        """Some texts as they were written; blocks of a corpus are put together from their tokens."""
        rows = self.indices[positions]
        if "texts.parquet" not in self.base.files:
            return self.tokenizer.decode_all(self.tokens[rows].tolist())
        import pyarrow as pa
        import pyarrow.parquet as pq

        known = pq.read_table(self.base.path("texts.parquet")).column("text")
        return [str(text) for text in known.take(pa.array(rows)).to_pylist()]


def open_texts(ref: DatasetRef) -> TextsView:
    """Read texts or a view on them.

    Raises
    ------
    UserError
        When the data set holds something else.
    """
    if not isinstance(ref, TextRef):
        raise UserError(
            "This needs texts, and the data set holds {kind}",
            hint="Connect a block that gives texts, such as Labelled texts or Text corpus.",
            kind=ref.kind,
        )
    base, indices = resolve(ref)
    tokens = np.load(base.path("tokens.npy"), mmap_mode="r", allow_pickle=False)
    if indices is None:
        indices = np.arange(len(tokens), dtype=np.int64)
    labels = np.load(base.path("labels.npy"), allow_pickle=False)[indices] if "labels.npy" in base.files else None
    meta = ref.meta
    return TextsView(tokens, labels, indices, tuple(meta.get("classes") or ()), meta, base)


def write_texts(
    store: ArtifactStore,
    tokens: np.ndarray,
    tokenizer: TextTokenizer,
    *,
    task: TextTask,
    name: str,
    texts: Sequence[str] | None = None,
    labels: np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> TextRef:
    """Keep texts as an artifact, with its preview.

    Parameters
    ----------
    tokens
        int32 (N, T): filled up, or packed.
    texts
        The N texts themselves, for labelled ones.
    labels
        int64 (N,), each below ``len(classes)``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from engine.text import padded, train_tokenizer
    >>> store, texts = ArtifactStore(pathlib.Path(tempfile.mkdtemp())), ["a good day", "a bad day"]
    >>> tokenizer = train_tokenizer(texts, kind="wordpiece", size=50)
    >>> ref = write_texts(store, padded(tokenizer, texts, 8).tokens, tokenizer, task="classification", name="days",
    ...                   texts=texts, labels=np.array([1, 0]), classes=["bad", "good"])
    >>> ref.meta["length"], open_texts(ref).texts([1])
    (8, ['a bad day'])
    """
    if len(tokens) == 0:
        raise UserError("The data set has no texts")
    files: dict[str, bytes] = {"tokens.npy": npy_bytes(tokens.astype(np.int32)), TOKENIZER: tokenizer.content}
    if labels is not None:
        files["labels.npy"] = npy_bytes(np.asarray(labels, dtype=np.int64))
    if texts is not None:
        import pyarrow as pa

        files["texts.parquet"] = parquet_bytes(pa.table({"text": pa.array(texts, pa.string())}))
    length = int(tokens.shape[1])
    known = {
        "task": task,
        "name": name,
        "classes": None if classes is None else list(classes),
        "count": len(tokens),
        "length": length,
        **facts(tokenizer),
        "preprocessing": [tokenize_operation(tokenizer, length)],
        **(meta or {}),
    }
    bare = store.put(TextRef, files=files, meta=known)
    return store.put(TextRef, files={**files, "preview.json": view_preview(open_texts(bare))}, meta=known)


def tokenize_operation(tokenizer: TextTokenizer, length: int) -> dict[str, Any]:
    """How texts become what a network takes, as ``preprocessing`` declares it."""
    return {"op": "tokenize", "tokenizer": tokenizer.sha256, "length": length}


def view_preview(view: TextsView) -> bytes:
    """``preview.json`` of texts: some of every class, or the first blocks."""
    if view.labels is None or not view.classes:
        shown = np.arange(min(previews.TEXTS, len(view)))
        return previews.texts_preview(view.texts(shown), None, len(view))
    shown = previews.spread(view.labels, previews.TEXTS)
    names = [view.classes[number] for number in view.labels[shown]]
    return previews.texts_preview(view.texts(shown), names, len(view))
