"""Let a language model write: the next token again and again, or the words behind a mask.

Called by the block Generate text, by try-it and the SDK. The same seed gives the same text.

Legend of shapes: T tokens, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import UserError
from engine.text import TextTokenizer


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes
    ----------
    max_tokens
        Most tokens that are written.
    temperature
        Divides the logits: below 1 the likely becomes likelier; 0 always takes the likeliest.
    top_k
        Draw among so many of the likeliest; 0: among all.
    top_p
        Draw among the likeliest that together have this probability (A. Holtzman et al., "The curious case of neural
        text degeneration", ICLR 2020); 1: among all.
    """

    max_tokens: int = 100
    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    seed: int = 0


@torch.inference_mode()
def generate(
    module: nn.Module,
    tokenizer: TextTokenizer,
    prompt: str,
    sampling: Sampling,
    length: int,
    check: Callable[[], None] = lambda: None,
) -> str:
    """Go on with a text.

    Parameters
    ----------
    module
        Tokens (1, T) to logits (1, T, V), in evaluation mode.
    length
        Most tokens that it takes; of a longer text it sees the end.
    check
        Called before each token; may raise to stop.

    Returns
    -------
    str
        What was written behind the prompt.
    """
    device = _device(module)
    numbers = tokenizer.encode(prompt and [prompt] or [""], specials=False)[0]
    if not numbers:
        numbers = [tokenizer.end_id if tokenizer.end_id is not None else 0]
    generator = torch.Generator(device).manual_seed(sampling.seed)
    written: list[int] = []
    for _ in range(sampling.max_tokens):
        check()
        seen = torch.tensor([(numbers + written)[-length:]], device=device)
        logits_V = module(seen)[0, -1].float()[: tokenizer.size]  # a network may have room for more tokens
        if tokenizer.pad_id is not None:
            logits_V[tokenizer.pad_id] = -torch.inf
        number = int(draw(logits_V, sampling, generator))
        if number == tokenizer.end_id:
            break
        written.append(number)
    # Decoded together, and cut, since a token's text may depend on the one before it.
    before = tokenizer.decode(numbers)
    whole = tokenizer.decode(numbers + written)
    return whole[len(before) :] if whole.startswith(before) else tokenizer.decode(written)


def _device(module: nn.Module) -> torch.device:
    """Where a network computes; a file of a runtime takes what it is given."""
    weight = next(module.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device


def draw(logits_V: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """One token: a number.

    >>> likely = Sampling(temperature=0)
    >>> int(draw(torch.tensor([0.0, 2.0, 1.0]), likely, torch.Generator()))
    1
    >>> narrow = Sampling(temperature=1, top_p=0.5)
    >>> {int(draw(torch.tensor([0.0, 3.0, 1.0]), narrow, torch.Generator())) for _ in range(9)}
    {1}
    """
    if sampling.temperature == 0:
        return logits_V.argmax()
    logits_V = logits_V / sampling.temperature
    if sampling.top_k:
        kept = min(sampling.top_k, len(logits_V))
        logits_V = logits_V.masked_fill(logits_V < logits_V.topk(kept).values[-1], -torch.inf)
    probability_V = torch.softmax(logits_V, 0)
    if sampling.top_p < 1:
        ordered_V, places_V = probability_V.sort(descending=True, stable=True)
        # the first token that reaches the share still belongs to it
        outside_V = ordered_V.cumsum(0) - ordered_V >= sampling.top_p
        probability_V = probability_V.index_fill(0, places_V[outside_V], 0.0)
    return torch.multinomial(probability_V, 1, generator=generator)[0]


@torch.inference_mode()
def fill_masks(module: nn.Module, tokenizer: TextTokenizer, text: str, length: int, top: int = 5) -> dict[str, Any]:
    """Guess the words behind the masks of a text.

    Returns
    -------
    dict
        ``text`` with the likeliest words in place, and ``masks``: for each mask its likeliest words, each
        ``{"label", "probability"}``.

    Raises
    ------
    UserError
        When there is no mask in the text, or behind what the model can take.
    """
    if tokenizer.mask_id is None:
        raise UserError("The tokenizer of the model has no mask token", field="model")
    numbers = tokenizer.encode([text])[0][:length]
    places = [place for place, number in enumerate(numbers) if number == tokenizer.mask_id]
    if not places:
        raise UserError(
            "There is no {mask} in the text",
            hint="Write {mask} where a word is to be guessed.",
            mask=tokenizer.token(tokenizer.mask_id),
        )
    device = _device(module)
    logits_TV = module(torch.tensor([numbers], device=device))[0].float()[:, : tokenizer.size]
    logits_TV[:, tokenizer.special_ids] = -torch.inf
    best = torch.softmax(logits_TV[places], -1).topk(min(top, logits_TV.shape[-1]), dim=-1)
    masks = [
        [
            {"label": tokenizer.decode([number]), "probability": chance}
            for number, chance in zip(ids, chances, strict=True)
        ]
        for ids, chances in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    for place, found in zip(places, best.indices[:, 0].tolist(), strict=True):
        numbers[place] = found
    return {"text": tokenizer.decode(numbers), "masks": masks}
