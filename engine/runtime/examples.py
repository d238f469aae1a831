"""A data set as tensors: what a network is trained, evaluated and asked on.

Called by training, evaluation and prediction. Pixels stay uint8 and tokens int32 until their batch; a data set that
does not fit in memory stays on disk. Tables are encoded once. No example is ever touched by Python code of its own.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.artifacts import DatasetRef, ImagesRef, TableRef, TextRef
from engine.datasets import ImagesView, TextsView, open_images, open_table
from engine.errors import UserError
from engine.runtime import tables, texts
from engine.runtime.images import Operations, affine, arrange, geometry, network_shape
from engine.runtime.modelspec import ModelSpec
from engine.text import TextTokenizer

IN_MEMORY_BYTES = 4 * 2**30
AS_FLOATS_BYTES = 256 * 2**20
TOKENS_AT_ONCE = 2**13


class Examples:
    """Inputs on a device.

    Parameters
    ----------
    x
        uint8 (N, C, H, W), float32 (N, F), int32 (N, T) tokens, or a view of images or texts that stays on disk.
    factor, summand
        float32 (1, C, 1, 1): how pixels become floats; None when ``x`` is floats.
    device
        Where batches are made.
    operations
        What changes the shape of images before that, see :mod:`engine.runtime.images`.

    Attributes
    ----------
    shape, network_shape
        Of one example as it is kept, and as the network takes it.
    """

    def __init__(
        self,
        x: Tensor | ImagesView | TextsView,
        factor: Tensor | None = None,
        summand: Tensor | None = None,
        device: torch.device | None = None,
        operations: Operations = (),
    ) -> None:
        self.device = device or torch.device("cpu")
        self._operations = operations
        self._view = None if isinstance(x, Tensor) else x
        self._x = x.to(self.device) if isinstance(x, Tensor) else None
        self._factor = None if factor is None else factor.to(self.device)
        self._summand = None if summand is None else summand.to(self.device)
        self.shape: tuple[int, ...] = tuple(x.shape[1:]) if isinstance(x, Tensor) else tuple(x.shape)
        self.is_text = x.dtype == torch.int32 if isinstance(x, Tensor) else isinstance(x, TextsView)
        self.network_shape = network_shape(operations, self.shape) if operations else self.shape
        self._count = len(x)

    def __len__(self) -> int:
        return self._count

    def take(self, rows: Tensor) -> Tensor:
        """Raw inputs of some rows, as they are kept."""
        if self._x is not None:
            return self._x[rows]
        assert self._view is not None
        return torch.from_numpy(self._view.take(rows.cpu().numpy())).to(self.device)

    def prepare(self, raw: Tensor) -> Tensor:
        """Raw inputs as the network takes them: float32, or int64 tokens."""
        if self.is_text:
            return raw.long()
        if self._factor is None or self._summand is None:
            return raw
        arranged = arrange(raw, self._operations) if self._operations else raw
        return torch.addcmul(self._summand, arranged.to(torch.float32), self._factor)

    def batch(self, rows: Tensor) -> Tensor:
        """Inputs of some rows, as the network takes them."""
        return self.prepare(self.take(rows))

    def part(self, rows: Tensor) -> Examples:
        """Some of the examples, in this order.

        >>> Examples(torch.tensor([[1.0], [2.0], [3.0]])).part(torch.tensor([2, 0])).batch(torch.tensor([0])).tolist()
        [[3.0]]
        """
        made = copy.copy(self)
        if self._x is not None:
            made._x = self._x[rows]
        if self._view is not None:
            made._view = replace(self._view, indices=self._view.indices[rows.cpu().numpy()])
        made._count = len(rows)
        return made

    def as_floats(self) -> Examples:
        """The same, prepared once instead of in every batch, when that costs little memory."""
        if self._x is None or self._factor is None or 4 * len(self) * math.prod(self.network_shape) > AS_FLOATS_BYTES:
            return self
        return Examples(self.prepare(self._x), device=self.device)

    @property
    def rate(self) -> tuple[str, int]:
        """Name of the metric that counts what is seen in a second, and how much of it an example holds."""
        return ("tokens_per_s", math.prod(self.shape)) if self.is_text else ("images_per_s", 1)

    @property
    def batch_size(self) -> int:
        """Examples that are asked at once where no gradient is needed; follows from the shape alone."""
        numbers = max(1, math.prod(self.network_shape))
        if self.is_text:  # each token may have an answer as wide as the vocabulary
            return max(1, min(1024, TOKENS_AT_ONCE // numbers))
        return max(8, min(1024, 2**20 // numbers))


@dataclass(frozen=True)
class DataSpec:
    """What a data set asks of a model.

    Attributes
    ----------
    input
        As in :class:`engine.runtime.modelspec.ModelSpec`.
    shape
        ``(C, H, W)``, ``(features,)`` or ``(T,)``: one example as the network takes it.
    facts
        Of texts: ``vocab_size``, ``pad_id``, ``max_length``.
    """

    input: dict[str, Any]
    shape: tuple[int, ...]
    preprocessing: list[dict[str, Any]]
    augmentation: list[dict[str, Any]]
    classes: list[str] | None
    target: str | None
    count: int
    facts: dict[str, Any] = field(default_factory=dict)


def describe(
    ref: DatasetRef,
    *,
    needs_target: bool = True,
    tokenizer: TextTokenizer | None = None,
    longest: int | None = None,
) -> DataSpec:
    """Read what a model that learns from this data set needs to know.

    Parameters
    ----------
    needs_target
        False: a table may have no column to predict; then all of them are inputs.
    tokenizer, longest
        Of the model, for texts: as in :func:`engine.runtime.texts.described`.

    Raises
    ------
    UserError
        When the data set is empty or a table has no target.
    """
    meta = ref.meta
    if meta["count"] == 0:
        raise UserError("The data set is empty", field="dataset", hint="Check the split or the filter before it.")
    if isinstance(ref, ImagesRef):
        shape = tuple(meta["shape"])
        return DataSpec(
            {"kind": "images", "shape": list(shape)}, shape, meta["preprocessing"], meta.get("augmentation", []),
            meta["classes"], None, meta["count"],
        )  # fmt: skip
    if isinstance(ref, TextRef):
        told = texts.described(ref, tokenizer, longest)
        shape = (told["input"]["length"],)
        return DataSpec(
            told["input"], shape, told["preprocessing"], [], meta.get("classes"), None, meta["count"], told["facts"]
        )
    if not isinstance(ref, TableRef):
        raise UserError("A {kind} cannot be learned from", field="dataset", kind=ref.kind)
    target = meta.get("target")
    if not target and needs_target:
        raise UserError(
            "The table has no target column", field="dataset", hint="Choose the column to predict on the table's block."
        )
    operations = meta.get("preprocessing") or _default_operations(ref, meta["columns"], target)
    columns = [{"name": c["name"], "type": c["type"]} for c in meta["columns"] if c["name"] != target]
    features = tables.feature_names(columns, operations)
    return DataSpec(
        {"kind": "table", "columns": columns}, (len(features),), operations, [], meta.get("classes"), target,
        meta["count"],
    )  # fmt: skip


def _default_operations(
    ref: TableRef, columns: Sequence[Mapping[str, Any]], target: str | None
) -> list[dict[str, Any]]:
    from engine.tabular.encoders import fit_encoders

    return [dict(operation) for operation in fit_encoders(open_table(ref), columns, target)]


KINDS = {"text": "tokens"}
"""Kind of a data set -> kind of input, where they differ."""


def load(ref: DatasetRef, spec: ModelSpec, device: torch.device, tokenizer: TextTokenizer | None = None) -> Examples:
    """The inputs of a data set, for a model.

    Parameters
    ----------
    tokenizer
        Of the model, for texts.

    Raises
    ------
    UserError
        When they are of another kind or shape than the model takes; both are named.
    """
    assert spec.input is not None
    if KINDS.get(ref.kind, ref.kind) != spec.input["kind"]:
        raise UserError(
            "The model takes {expected}, the data set holds {found}",
            field="dataset",
            hint="Connect the kind of data that the model was trained on.",
            expected=spec.input["kind"],
            found=ref.kind,
        )
    if isinstance(ref, TextRef):
        return _texts(texts.tokens(ref, spec.preprocessing, tokenizer), device)
    if not isinstance(ref, ImagesRef):
        numbers = tables.encode(open_table(ref), spec.input["columns"], spec.preprocessing)
        return Examples(torch.from_numpy(numbers), device=device)
    view = open_images(ref)
    if list(view.shape) != list(spec.input["shape"]):
        raise UserError(
            "The model takes images of {expected}, these are {found} (channels x height x width)",
            field="dataset",
            hint="Use images of the same shape, or train a model on these.",
            expected=_sides(spec.input["shape"]),
            found=_sides(view.shape),
        )
    x = view if len(view) * math.prod(view.shape) > IN_MEMORY_BYTES else torch.from_numpy(view.take(slice(None)))
    return of_images(x, view.shape, spec, device)


def of_images(x: Tensor | ImagesView, shape: Sequence[int], spec: ModelSpec, device: torch.device) -> Examples:
    """Raw images (each of ``shape``), and on their way to the network what the model says of them."""
    factor, summand = affine(spec.preprocessing, network_shape(spec.preprocessing, shape)[0])
    return Examples(x, factor, summand, device, geometry(spec.preprocessing))


def _texts(found: TextsView | np.ndarray, device: torch.device) -> Examples:
    if isinstance(found, TextsView):
        if 4 * len(found) * math.prod(found.shape) > IN_MEMORY_BYTES:
            return Examples(found, device=device)
        found = found.take(slice(None))
    return Examples(torch.from_numpy(found), device=device)


def _sides(shape: Sequence[int]) -> str:
    return " x ".join(str(side) for side in shape)
