"""Predict the next token: language models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.artifacts import DatasetRef
from engine.errors import UserError
from engine.learn.distil.losses import softened
from engine.learn.options import TrainingOptions
from engine.learn.tasks.base import Derive, Loss, Task
from engine.models import complete
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec

IGNORED = -100
"""A target that nothing is asked about."""
MAX_EXPONENT = 80.0


class LanguageModel(Task):
    """Cross-entropy of the next token.

    Source: Y. Bengio et al., "A neural probabilistic language model", JMLR 3, 2003.
    """

    name = "language_model"
    has_accuracy = True
    needs_target = False

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """As many outputs as the vocabulary has tokens."""
        return {"config": token_config(self.name, given, wanted), "labels": None, "target": None}

    def derive(self, meta: Mapping[str, Any], *, training: bool) -> Derive:
        """Each token's target is the one behind it; padding and the end of a block ask nothing."""
        pad = meta.get("pad_id")

        def next_tokens(tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
            targets_BT = torch.full_like(tokens_BT, IGNORED)
            following = tokens_BT[:, 1:]
            targets_BT[:, :-1] = following if pad is None else following.masked_fill(following == pad, IGNORED)
            return tokens_BT, targets_BT

        return next_tokens

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """See :func:`token_loss`."""
        smoothing = options.label_smoothing if options else 0.0

        def smoothed(outputs: Tensor, targets: Tensor) -> Tensor:
            return token_loss(outputs, targets, smoothing)

        return smoothed

    def taught(self, outputs: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """See :func:`taught_tokens`."""
        return taught_tokens(outputs, answers, targets, temperature)

    def asked(self, targets: Tensor) -> Tensor:
        """Tokens with a target."""
        return (targets != IGNORED).sum()

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Tokens whose likeliest value is the true one."""
        return (outputs.argmax(-1) == targets).sum()

    def numbers(self, part: str, loss: float, accuracy: float | None) -> dict[str, float]:
        """Loss, perplexity and the share of tokens that were foreseen."""
        named = {f"{part}_loss": loss, f"{part}_perplexity": perplexity(loss)}
        if accuracy is not None:
            named[f"{part}_token_accuracy"] = accuracy
        return named


def token_config(task: str, given: ModelSpec, wanted: DataSpec) -> dict[str, Any]:
    """Configuration of a network that answers every token with one of the vocabulary.

    Raises
    ------
    UserError
        When the data is no text, or the model was made for another vocabulary.
    """
    kind = wanted.input["kind"]
    if kind != "tokens":
        raise UserError(
            "A language model learns from text, the data set holds {kind}",
            field="dataset",
            hint="Connect the block Text corpus.",
            kind=kind,
        )
    facts = {**wanted.facts, "task": task}
    return complete(given.architecture, given.config, kind, wanted.shape, int(wanted.facts["vocab_size"]), facts)


def token_loss(outputs_BTV: Tensor, targets_BT: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy over the tokens that have a target; 0 when none has.

    >>> outputs, targets = torch.zeros(1, 3, 4), torch.tensor([[1, IGNORED, 2]])
    >>> round(float(token_loss(outputs, targets)), 4), float(token_loss(outputs, torch.full((1, 3), IGNORED)))
    (1.3863, 0.0)
    """
    total = functional.cross_entropy(
        outputs_BTV.flatten(0, 1),
        targets_BT.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    return total / (targets_BT != IGNORED).sum().clamp(min=1)


def taught_tokens(outputs_BTV: Tensor, answers_BTV: Tensor, targets_BT: Tensor, temperature: float) -> Tensor:
    """Divergence from a teacher at the tokens that have a target, as :func:`engine.learn.distil.losses.softened`.

    >>> outputs, targets = torch.rand(1, 2, 4), torch.tensor([[1, IGNORED]])
    >>> float(taught_tokens(outputs, outputs, targets, 2.0))
    0.0
    """
    asked_BT = targets_BT != IGNORED
    return softened(outputs_BTV[asked_BT], answers_BTV[asked_BT], temperature)


def perplexity(loss: float) -> float:
    """How many equally likely tokens the model hesitates between.

    >>> round(perplexity(math.log(50)), 6)
    50.0
    """
    return math.exp(min(loss, MAX_EXPONENT))
