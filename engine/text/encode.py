"""Token numbers as one array: texts filled up to one length, or a stream cut into blocks.

Called through :mod:`engine.text`. Legend of shapes: N texts or blocks, T tokens of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from engine.errors import UserError
from engine.text.tokenizer import TextTokenizer

LONGEST = 256
FIT = 0.95
CHUNK = 1024


class Padded(NamedTuple):
    """Rows of tokens: int32 (N, T), and how many texts were cut."""

    tokens: np.ndarray
    cut: int


def padded(tokenizer: TextTokenizer, texts: Sequence[str], length: int | None) -> Padded:
    """One row of tokens for each text; short ones are filled up, long ones cut.

    Parameters
    ----------
    length
        Tokens of a row; None: so many that 95 % of the texts fit, at most 256, rounded up to a multiple of 8.

    Raises
    ------
    UserError
        When the tokenizer has no token to fill up with.
    """
    fill = tokenizer.pad_id if tokenizer.pad_id is not None else tokenizer.end_id
    if fill is None:
        raise UserError(
            "The tokenizer has no token to fill up short texts with",
            field="tokenizer_path",
            hint="Use a tokenizer with a token such as [PAD], or let one be trained.",
        )
    rows: list[list[int]] = []
    for start in range(0, len(texts), CHUNK):
        rows += tokenizer.encode(texts[start : start + CHUNK])
    wide = length or fitting_length([len(row) for row in rows])
    stop = rows[0][-1] if rows and tokenizer.ends_texts and rows[0] else None
    tokens_NT = np.full((len(rows), wide), fill, dtype=np.int32)
    for number, row in enumerate(rows):
        kept = row[:wide]
        if len(row) > wide and stop is not None and row[-1] == stop:
            kept[-1] = stop  # a text that was cut still ends as texts do
        tokens_NT[number, : len(kept)] = kept
    return Padded(tokens_NT, sum(len(row) > wide for row in rows))


def fitting_length(lengths: Sequence[int]) -> int:
    """Tokens that 95 % of the texts need, at most 256, as a multiple of 8.

    >>> fitting_length([3, 5, 9, 1000])
    256
    >>> fitting_length([3, 5, 9])
    16
    """
    needed = int(np.quantile(np.asarray(lengths), FIT, method="higher")) if len(lengths) else 1
    return min(LONGEST, 8 * math.ceil(max(1, needed) / 8))


def packed(tokenizer: TextTokenizer, documents: Iterable[str], length: int) -> np.ndarray:
    """Documents behind each other, an end token after each, cut into blocks: nothing is filled up.

    The last tokens, fewer than a block, are left out.

    Parameters
    ----------
    length
        Tokens of a block.

    Returns
    -------
    numpy.ndarray
        int32 (N, T).

    Raises
    ------
    UserError
        When there are fewer tokens than one block has.

    Notes
    -----
    Source: T. Brown et al., "Language models are few-shot learners", NeurIPS 2020, appendix B.
    """
    stream: list[np.ndarray] = []
    for document in documents:
        numbers = tokenizer.encode_long(document)
        if tokenizer.end_id is not None:
            numbers.append(tokenizer.end_id)
        stream.append(np.asarray(numbers, dtype=np.int32))
    joined = np.concatenate(stream) if stream else np.empty(0, np.int32)
    count = len(joined) // length
    if count == 0:
        raise UserError(
            "The text has {tokens} tokens, fewer than one block of {length}",
            field="length",
            hint="Choose a smaller block, or more text.",
            tokens=len(joined),
            length=length,
        )
    return joined[: count * length].reshape(count, length)
