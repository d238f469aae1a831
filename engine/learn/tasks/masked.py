"""Fill in hidden tokens: masked language models, such as BERT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.artifacts import DatasetRef
from engine.errors import UserError
from engine.learn.options import TrainingOptions
from engine.learn.tasks.base import Derive, Loss, Task
from engine.learn.tasks.language import IGNORED, perplexity, taught_tokens, token_config, token_loss
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec

HIDDEN = 0.15
MASKED, REPLACED = 0.8, 0.1


class MaskedLanguageModel(Task):
    """Cross-entropy of hidden tokens.

    Of 15 % of the tokens, 80 % become the mask, 10 % another token, and 10 % stay: J. Devlin et al., "BERT", NAACL
    2019, section 3.1.
    """

    name = "masked_lm"
    has_accuracy = True
    needs_target = False

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """As many outputs as the vocabulary has tokens."""
        return {"config": token_config(self.name, given, wanted), "labels": None, "target": None}

    def derive(self, meta: Mapping[str, Any], *, training: bool) -> Derive:
        """Hide tokens: anew in every batch of a training, always the same ones otherwise.

        Raises
        ------
        UserError
            When the data's tokenizer has no mask token.
        """
        if meta.get("mask_id") is None:
            raise UserError(
                "The tokenizer of the data has no mask token",
                field="dataset",
                hint="Set the task of the text block to masked language model.",
            )
        vocabulary, mask = int(meta["vocab_size"]), int(meta["mask_id"])
        special = torch.tensor(sorted({mask, *meta["special_ids"]}))

        def hide(tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
            if training:
                chance_BT, kind_BT, other_BT = torch.rand(3, *tokens_BT.shape, device=tokens_BT.device)
            else:
                chance_BT, kind_BT, other_BT = fixed_chances(tokens_BT)
            return hidden(tokens_BT, chance_BT, kind_BT, other_BT, special.to(tokens_BT.device), mask, vocabulary)

        return hide

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """See :func:`engine.learn.tasks.language.token_loss`."""
        return token_loss

    def taught(self, outputs: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """See :func:`engine.learn.tasks.language.taught_tokens`."""
        return taught_tokens(outputs, answers, targets, temperature)

    def asked(self, targets: Tensor) -> Tensor:
        """Tokens that were hidden."""
        return (targets != IGNORED).sum()

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Hidden tokens that were found."""
        return (outputs.argmax(-1) == targets).sum()

    def numbers(self, part: str, loss: float, accuracy: float | None) -> dict[str, float]:
        """Loss, pseudo-perplexity and the share of hidden tokens that were found."""
        named = {f"{part}_loss": loss, f"{part}_perplexity": perplexity(loss)}
        if accuracy is not None:
            named[f"{part}_token_accuracy"] = accuracy
        return named


def hidden(
    tokens_BT: Tensor,
    chance_BT: Tensor,
    kind_BT: Tensor,
    other_BT: Tensor,
    special_S: Tensor,
    mask: int,
    vocabulary: int,
) -> tuple[Tensor, Tensor]:
    """Tokens with some hidden, and what they were.

    Parameters
    ----------
    chance_BT, kind_BT, other_BT
        float32 (B, T) from 0 to 1: whether a token is hidden, how, and by which other one.
    special_S
        Tokens that are never hidden.

    Returns
    -------
    tuple of Tensor
        Inputs and targets, int64 (B, T); targets are ``IGNORED`` where nothing is hidden.

    Examples
    --------
    >>> tokens, chance = torch.tensor([[1, 7, 8, 9]]), torch.tensor([[0.0, 0.1, 0.1, 0.9]])
    >>> kind, other = torch.tensor([[0.0, 0.5, 0.85, 0.0]]), torch.full((1, 4), 0.5)
    >>> [part.tolist() for part in hidden(tokens, chance, kind, other, torch.tensor([1]), 4, 10)]
    [[[1, 4, 5, 9]], [[-100, 7, 8, -100]]]
    """
    asked_BT = (chance_BT < HIDDEN) & ~torch.isin(tokens_BT, special_S)
    targets_BT = tokens_BT.masked_fill(~asked_BT, IGNORED)
    inputs_BT = tokens_BT.masked_fill(asked_BT & (kind_BT < MASKED), mask)
    swapped_BT = asked_BT & (kind_BT >= MASKED) & (kind_BT < MASKED + REPLACED)
    drawn_BT = (other_BT * vocabulary).long().clamp(max=vocabulary - 1)
    return torch.where(swapped_BT, drawn_BT, inputs_BT), targets_BT


def fixed_chances(tokens_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three numbers from 0 to 1 for each token that follow from its row and place alone.

    So a text is asked the same in every epoch, batch and device. Multiplicative hashing with a finaliser in the manner
    of S. Vigna's splitmix64, cut to 31 bits so that the products stay within int64.

    >>> first, second = torch.arange(6).view(1, 6), torch.arange(12).view(2, 6)
    >>> torch.equal(fixed_chances(first)[0], fixed_chances(second)[0][:1])
    True
    """
    places_T = torch.arange(1, tokens_BT.shape[1] + 1, device=tokens_BT.device)
    row_B1 = _mixed((tokens_BT * (2 * places_T + 1)).sum(1, keepdim=True))
    base_BT = _mixed(row_B1 + places_T * 0x9E3779B1)
    one, two, three = (_mixed(base_BT + salt) for salt in (0x3C6EF372, 0x1B873593, 0x5BD1E995))
    return one / 2.0**31, two / 2.0**31, three / 2.0**31


def _mixed(value: Tensor) -> Tensor:
    value = value & 0x7FFFFFFF
    for factor in (0x45D9F3B, 0x119DE1F3):
        value = ((value ^ (value >> 16)) * factor) & 0x7FFFFFFF
    return value ^ (value >> 15)
