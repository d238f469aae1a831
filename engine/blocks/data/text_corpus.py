"""Running text for a language model: plain files, or a column of a table or of JSON lines."""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import ModelRef, TextRef
from engine.blocks.data._source import input_file
from engine.blocks.data._texts import TextParams, choose_tokenizer, say
from engine.datasets import write_texts
from engine.spec import RunContext, block, param
from engine.text import packed
from engine.text.read import read_corpus


class Params(TextParams):
    """Which file, and how it becomes blocks of tokens."""

    task: Literal["language_model", "masked_lm"] = param(
        "language_model",
        help="What is learned: the next token (a decoder such as Transformer LM), or hidden tokens (an encoder such as "
        "BERT)",
        title="Task",
    )
    length: int = param(128, ge=2, le=8192, unit="tokens", help="Tokens of a block", title="Block length")
    divided: Literal["document", "paragraphs", "lines"] = param(
        "document",
        help="Where a document of a plain text ends: at the end of the file, at empty lines, or at the end of a line",
        title="Documents",
    )


class Outputs(NamedTuple):
    """What comes out."""

    dataset: TextRef


@block(
    "data.text_corpus",
    title="Text corpus",
    examples=[{}],
    skips={"example": "it needs a file that somebody uploaded; tests/engine/text gives it one"},
)
def run(params: Params, *, model: ModelRef | None, ctx: RunContext) -> Outputs:
    """Read a corpus and pack it: documents behind each other, an end token after each, cut into blocks.

    No token is spent on filling up; the last tokens, fewer than a block, are left out. For the next token the trained
    tokenizer is one of byte pairs, which takes any text; for hidden tokens one of words and their parts.

    Parameters
    ----------
    model
        Its tokenizer is taken. Needed when a trained model learns or is measured on another corpus.

    Returns
    -------
    Outputs
        ``dataset``: blocks of tokens and the tokenizer.

    Raises
    ------
    UserError
        At the parameter that may help: the file is empty or damaged, there is no such column, or the text is shorter
        than a block.

    References
    ----------
    Brown et al. (2020), Language Models are Few-Shot Learners, NeurIPS, appendix B; Sennrich, Haddow, Birch (2016),
    Neural Machine Translation of Rare Words with Subword Units, ACL.

    Examples
    --------
    >>> Params(path="book.txt", length=256).task
    'language_model'
    """
    path, name = input_file(ctx, params.file, params.path)
    ctx.check_cancelled()
    read = read_corpus(path, text=params.text, divided=params.divided, options=params.dialect())
    say(ctx, read.findings)
    kind: Literal["bpe", "wordpiece"] = "bpe" if params.task == "language_model" else "wordpiece"
    tokenizer = choose_tokenizer(ctx, params, model, read.texts, kind)
    tokens = packed(tokenizer, read.texts, params.length)
    ctx.log(
        "{documents} documents gave {blocks} blocks of {length} tokens",
        documents=len(read.texts),
        blocks=len(tokens),
        length=params.length,
    )
    return Outputs(
        write_texts(ctx.store, tokens, tokenizer, task=params.task, name=name, meta={"detected": read.detected})
    )
