"""Texts as a model takes them: with the model's own tokenizer, whatever the data was made with.

Called by :mod:`engine.runtime.examples` and the predictor. The tokenizer of a model is the file ``tokenizer.json`` in
its artifact, and so in its bundle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.artifacts import ModelRef, TextRef
from engine.datasets.texts import TOKENIZER, TextsView, open_texts, tokenize_operation
from engine.errors import UserError
from engine.text import TextTokenizer, padded
from engine.text.tokenizer import facts


def tokenizer_of(ref: ModelRef) -> TextTokenizer | None:
    """The tokenizer that a model brings; None when it has none."""
    return TextTokenizer(ref.read_bytes(TOKENIZER)) if TOKENIZER in ref.files else None


def described(ref: TextRef, tokenizer: TextTokenizer | None, longest: int | None) -> dict[str, Any]:
    """What a model that learns from these texts needs to know.

    Parameters
    ----------
    tokenizer
        Of the model; None when it takes that of the data.
    longest
        Most tokens that the model takes; longer texts are cut.

    Returns
    -------
    dict
        ``input``, ``preprocessing`` and ``facts`` of :class:`engine.runtime.examples.DataSpec`.
    """
    meta = ref.meta
    length = meta["length"] if longest is None else min(meta["length"], longest)
    if tokenizer is None and length == meta["length"]:
        told = {name: meta[name] for name in ("vocab_size", "pad_id")}
        operations = meta["preprocessing"]
    else:
        used = tokenizer or open_texts(ref).tokenizer
        told = {name: value for name, value in facts(used).items() if name in ("vocab_size", "pad_id")}
        operations = [tokenize_operation(used, length)]
    return {
        "input": {"kind": "tokens", "length": length, "vocab_size": told["vocab_size"]},
        "preprocessing": operations,
        "facts": {**told, "max_length": length},
    }


def tokens(
    ref: TextRef, preprocessing: Sequence[Mapping[str, Any]], tokenizer: TextTokenizer | None
) -> TextsView | np.ndarray:
    """Rows of tokens as a model was, or is to be, trained on them.

    Parameters
    ----------
    preprocessing
        Of the model.
    tokenizer
        Of the model; None when it has none of its own.

    Returns
    -------
    TextsView or numpy.ndarray
        The data's own rows where they fit; labelled texts are tokenised anew otherwise: int32 (N, T).

    Raises
    ------
    UserError
        When a corpus was made with another tokenizer.
    """
    view = open_texts(ref)
    wanted = operation(preprocessing)
    if wanted["tokenizer"] == view.tokenizer.sha256 and wanted["length"] == view.shape[0]:
        return view
    if view.labels is not None:
        used = tokenizer if tokenizer is not None and wanted["tokenizer"] == tokenizer.sha256 else view.tokenizer
        return padded(used, view.texts(slice(None)), int(wanted["length"])).tokens
    if wanted["tokenizer"] != view.tokenizer.sha256:
        raise UserError(
            "The corpus was cut into tokens by another tokenizer than the model's",
            field="dataset",
            hint="Connect the model to the block Text corpus too, so that it takes the model's tokenizer.",
        )
    if view.shape[0] > wanted["length"]:
        raise UserError(
            "The model takes blocks of {longest} tokens, the corpus has blocks of {length}",
            field="dataset",
            hint="Set the block length of the corpus to {longest}.",
            longest=int(wanted["length"]),
            length=view.shape[0],
        )
    return view


def operation(preprocessing: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The operation that makes tokens.

    Raises
    ------
    UserError
        When there is none.
    """
    for one in preprocessing:
        if one["op"] == "tokenize":
            return one
    raise UserError("The model does not say how texts become tokens", field="model", hint="Train it on texts first.")


def encoded(texts: Sequence[str], preprocessing: Sequence[Mapping[str, Any]], tokenizer: TextTokenizer) -> np.ndarray:
    """Texts that somebody asks about, as rows of tokens: int32 (N, T)."""
    return padded(tokenizer, texts, int(operation(preprocessing)["length"])).tokens
