"""Texts with a class each, for a classifier: from CSV, Parquet, Excel or JSON lines."""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

import numpy as np

from engine.artifacts import ModelRef, TextRef
from engine.blocks.data._source import input_file
from engine.blocks.data._texts import TextParams, choose_tokenizer, say
from engine.datasets import write_texts
from engine.errors import UserError
from engine.spec import RunContext, block, param
from engine.tabular.targets import MOST_CLASSES
from engine.text import padded
from engine.text.read import TextsRead, class_names, read_labelled

NAMED = 5


class Params(TextParams):
    """Which file and columns, and how texts become tokens."""

    label: str = param("", widget="column", help="Column with the class; empty to find it", title="Class column")
    length: int | None = param(
        None,
        ge=4,
        le=4096,
        unit="tokens",
        help="Tokens of a text, longer ones are cut; empty: so many that 95 % of the texts fit, at most 256",
        title="Length",
    )
    tokenizer: Literal["wordpiece", "bpe"] = param(
        "wordpiece",
        help="Kind of tokenizer that is trained: words and their parts, or pairs of bytes",
        title="Tokenizer",
        advanced=True,
    )
    lower: bool = param(True, help="Capitals become small letters, with words and their parts", advanced=True)


class Outputs(NamedTuple):
    """What comes out."""

    dataset: TextRef


@block(
    "data.text",
    title="Labelled texts",
    examples=[{}],
    skips={"example": "it needs a file that somebody uploaded; tests/engine/text gives it one"},
)
def run(params: Params, *, model: ModelRef | None, ctx: RunContext) -> Outputs:
    """Read texts with a class each, and cut them into tokens.

    Which columns hold the text and the class is found out and can be corrected. The tokenizer is that of a model that
    is connected, one from a file, or one that is trained on these texts. A model that brings its own tokenizer reads
    these texts with it anyway, so the wire is only needed to see its tokens here.

    Parameters
    ----------
    model
        Its tokenizer is taken.

    Returns
    -------
    Outputs
        ``dataset``: tokens, classes, the texts and the tokenizer.

    Raises
    ------
    UserError
        At the parameter that may help: the file is empty or damaged, there is no such column, no column could be a
        class, or there is one class only.

    References
    ----------
    Schuster, Nakajima (2012), Japanese and Korean voice search, ICASSP.

    Examples
    --------
    >>> Params(path="reviews.csv", label="stars").text
    ''
    """
    path, name = input_file(ctx, params.file, params.path)
    ctx.check_cancelled()
    read = read_labelled(path, text=params.text, label=params.label, options=params.dialect())
    say(ctx, read.findings)
    ctx.log(
        "The text is in column {text}, the class in column {label}",
        text=str(read.detected["text"]),
        label=str(read.detected["label"]),
    )
    classes = _classes(read, ctx)
    number = {name: place for place, name in enumerate(classes)}
    tokenizer = choose_tokenizer(ctx, params, model, read.texts, params.tokenizer, lower=params.lower)
    rows = padded(tokenizer, read.texts, params.length)
    if rows.cut > 0.1 * len(read.texts):
        ctx.warn(
            "{count} of {total} texts are longer than {length} tokens and were cut",
            count=rows.cut,
            total=len(read.texts),
            length=rows.tokens.shape[1],
        )
    return Outputs(
        write_texts(
            ctx.store,
            rows.tokens,
            tokenizer,
            task="classification",
            name=name,
            texts=read.texts,
            labels=np.array([number[label] for label in read.labels or ()], dtype=np.int64),
            classes=classes,
            meta={"detected": read.detected},
        )
    )


def _classes(read: TextsRead, ctx: RunContext) -> list[str]:
    counts = Counter(read.labels or ())
    if not 2 <= len(counts) <= MOST_CLASSES:
        raise UserError(
            "Column {column} cannot be a class: it has {distinct} different values in {rows} rows",
            field="label",
            hint="Choose a column with at least two values that come again and again.",
            column=read.detected["label"],
            distinct=len(counts),
            rows=len(read.texts),
        )
    rare = sorted(name for name, count in counts.items() if count == 1)
    if rare:
        ctx.warn(
            "{count} classes have a single row: {classes}. They cannot be tested",
            count=len(rare),
            classes=", ".join(rare[:NAMED]),
        )
    return class_names(list(counts))
