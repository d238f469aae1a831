"""Ask a model: images, rows or texts in, labels with probabilities or numbers out.

Called by evaluation, the predict blocks, try-it and the SDK. What happens to the data before the network is read from
``model.json``, so it is the same as in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, ModelRef
from engine.errors import UserError
from engine.runtime import tables, texts
from engine.runtime.examples import Examples, load, of_images
from engine.runtime.generate import Sampling, fill_masks, generate
from engine.runtime.images import decode
from engine.runtime.models import open_model
from engine.runtime.modelspec import ModelSpec
from engine.text import TextTokenizer


@dataclass(frozen=True)
class Answers:
    """What a model said, one row per example.

    Attributes
    ----------
    outputs
        float32 (N, classes): logits; or (N,): the predicted number.
    labels
        Class names; None for regression.
    """

    outputs: Tensor
    labels: list[str] | None

    @property
    def probabilities(self) -> Tensor:
        """float32 (N, classes), rows sum to 1."""
        return torch.softmax(self.outputs, dim=1)

    def records(self, top: int = 5) -> list[dict[str, Any]]:
        """JSON for each example: ``label, probability, top`` or ``value``."""
        if self.labels is None:
            return [{"value": float(value)} for value in self.outputs]
        best = torch.topk(self.probabilities, min(top, len(self.labels)), dim=1)
        rows = []
        for chances, places in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            ranked = [{"label": self.labels[i], "probability": p} for i, p in zip(places, chances, strict=True)]
            rows.append({"label": ranked[0]["label"], "probability": ranked[0]["probability"], "top": ranked})
        return rows


class Predictor:
    """A trained model in memory.

    Examples
    --------
    ``Predictor.open(ref).predict_files([png])`` answers one image.
    """

    def __init__(
        self,
        spec: ModelSpec,
        module: nn.Module,
        device: torch.device | None = None,
        tokenizer: TextTokenizer | None = None,
    ) -> None:
        self.spec = spec
        self._tokenizer = tokenizer
        self.device = device or torch.device("cpu")
        self.module = module.to(self.device).eval()

    @classmethod
    def open(cls, ref: ModelRef, device: torch.device | None = None) -> Predictor:
        """Open a model artifact; UserError when it is not trained."""
        opened = open_model(ref)
        return cls(opened.spec, opened.module, device, texts.tokenizer_of(ref))

    @property
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer of a model for texts; UserError when it takes something else."""
        if self.spec.input_kind != "tokens":
            raise UserError("The model takes {kind}, not texts", kind=str(self.spec.input_kind))
        if self._tokenizer is None:
            raise UserError(
                "The model has no tokenizer",
                field="model",
                hint="Train it here on texts, or load it from a folder with a tokenizer.json.",
            )
        return self._tokenizer

    def predict(self, ref: DatasetRef, progress: Callable[[int, int], None] | None = None) -> Answers:
        """Answer every example of a data set."""
        return self.answer(load(ref, self.spec, self.device, self._tokenizer), progress)

    def predict_texts(self, written: Sequence[str]) -> Answers:
        """Answer texts."""
        tokens = texts.encoded(list(written), self.spec.preprocessing, self.tokenizer)
        return self.answer(Examples(torch.from_numpy(tokens), device=self.device))

    def predict_images(self, images: np.ndarray) -> Answers:
        """Answer images: uint8 (N, C, H, W) of the shape that the model takes."""
        shape = self._shape()
        if images.dtype != np.uint8 or list(images.shape[1:]) != shape:
            raise UserError(
                "The model takes images of shape {expected} in whole numbers from 0 to 255, these are {found} {dtype}",
                expected=shape,
                found=list(images.shape[1:]),
                dtype=str(images.dtype),
            )
        return self.answer(of_images(torch.from_numpy(images), shape, self.spec, self.device))

    def predict_files(self, files: Sequence[bytes], names: Sequence[str] | None = None) -> Answers:
        """Answer image files (PNG, JPEG, ...)."""
        named = names or [f"image {number + 1}" for number in range(len(files))]
        shape = self._shape()
        pixels = [decode(f, shape, n, self.spec.preprocessing) for f, n in zip(files, named, strict=True)]
        return self.predict_images(np.stack(pixels))

    def predict_table(self, table: pa.Table) -> Answers:
        """Answer rows; the table has the columns that the model was trained on."""
        if self.spec.input is None or self.spec.input["kind"] != "table":
            raise self._other("rows of a table")
        numbers = tables.encode(table, self.spec.input["columns"], self.spec.preprocessing)
        return self.answer(Examples(torch.from_numpy(numbers), device=self.device))

    def write(self, prompt: str, *, check: Callable[[], None] = lambda: None, **sampling: Any) -> str:
        """What a language model writes behind a prompt.

        Parameters
        ----------
        check
            Called before each token; may raise to stop.
        sampling
            Fields of :class:`engine.runtime.generate.Sampling`.

        Raises
        ------
        UserError
            When the model is no language model.
        """
        if self.spec.task != "language_model" or self.spec.input is None:
            raise UserError(
                "This model does not write: it was not trained on the next token",
                field="model",
                hint="Connect a model from the block Train a language model.",
            )
        length = int(self.spec.input["length"])
        return generate(self.module, self.tokenizer, prompt, Sampling(**sampling), length, check)

    def fill(self, text: str, top: int = 5) -> dict[str, Any]:
        """The words behind the masks of a text, as :func:`engine.runtime.generate.fill_masks` gives them."""
        if self.spec.task != "masked_lm" or self.spec.input is None:
            raise UserError(
                "This model fills in no words: it was not trained on hidden tokens",
                field="model",
                hint="Train it with the task masked language model.",
            )
        return fill_masks(self.module, self.tokenizer, text, int(self.spec.input["length"]), top)

    def answer(self, examples: Examples, progress: Callable[[int, int], None] | None = None) -> Answers:
        """Answer prepared examples; UserError when the model gives neither classes nor numbers."""
        if self.spec.task not in ("classification", "regression"):
            raise UserError(
                "This model tells no classes apart and predicts no numbers (its task is {task})",
                field="model",
                hint="For a language model, use the block Generate text.",
                task=str(self.spec.task),
            )
        outputs = forward(self.module, examples, progress).cpu()
        if self.spec.task == "classification":
            return Answers(outputs, self.spec.labels or [str(n) for n in range(outputs.shape[1])])
        values = outputs[:, 0]
        if self.spec.target is not None:
            values = values * self.spec.target.std + self.spec.target.mean
        return Answers(values, None)

    def _shape(self) -> list[int]:
        if self.spec.input is None or self.spec.input["kind"] != "images":
            raise self._other("images")
        return list(self.spec.input["shape"])

    def _other(self, given: str) -> UserError:
        """What is wrong with ``given``, and what to give instead."""
        if self.spec.input_kind == "images":
            return UserError("The model takes images, not {given}", hint="Give it an image file.", given=given)
        if self.spec.input_kind == "tokens":
            return UserError("The model takes texts, not {given}", hint="Give it a text.", given=given)
        return UserError(
            "The model takes rows of a table, not {given}", hint="Give it a CSV, Parquet or Excel file.", given=given
        )


@torch.inference_mode()
def forward(module: nn.Module, examples: Examples, progress: Callable[[int, int], None] | None = None) -> Tensor:
    """Outputs of a network in evaluation mode for all examples: float32 (N, outputs), on the examples' device."""
    was_training = module.training
    module.eval()
    rows = torch.arange(len(examples), device=examples.device)
    parts = []
    for chunk in torch.split(rows, examples.batch_size):
        parts.append(module(examples.batch(chunk)).float())
        if progress is not None:
            progress(int(chunk[-1]) + 1, len(examples))
    module.train(was_training)
    return torch.cat(parts)
