"""What the blocks of texts share: the file's dialect and the choice of a tokenizer.

Called by ``data.text`` and ``data.text_corpus``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from engine.artifacts import FileRef, ModelRef
from engine.blocks.data._source import local
from engine.datasets.texts import TOKENIZER
from engine.errors import UserError
from engine.spec import BlockParams, RunContext, param
from engine.tabular import Finding, TableOptions
from engine.tabular.options import Encoding
from engine.text import TextTokenizer, train_tokenizer

DIALECT = ("encoding", "delimiter", "header", "sheet", "ragged")


class TextParams(BlockParams):
    """Where the texts are, and how they become tokens."""

    file: str = param("", widget="artifact", help="The uploaded file: CSV, Parquet, Excel, JSON lines or plain text")
    path: str = param("", widget="path", help="Path of the file on this machine, instead of an upload")
    text: str = param("", widget="column", help="Column that holds the text; empty to find it", title="Text column")
    vocabulary: int = param(
        8000, ge=64, le=200_000, help="Most different tokens of a tokenizer that is trained", title="Vocabulary"
    )
    tokenizer_file: str = param(
        "", widget="artifact", help="An uploaded tokenizer.json, instead of training one", advanced=True
    )
    tokenizer_path: str = param(
        "", widget="path", help="Path of a tokenizer.json on this machine, instead of training one", advanced=True
    )
    encoding: Encoding = param("auto", help="Encoding of a text file", advanced=True)
    delimiter: str = param(
        "auto", choices=["auto", ",", ";", "tab", "|"], help="Character between the cells of a text file", advanced=True
    )
    header: Literal["auto", "yes", "no"] = param("auto", help="Whether the first line names the columns", advanced=True)
    sheet: str = param("", help="Name of the Excel sheet; empty for the first with data", advanced=True)
    ragged: Literal["error", "skip", "pad"] = param(
        "error", help="Lines with too few or too many cells: stop, leave them out, or fill and cut them", advanced=True
    )

    def dialect(self) -> TableOptions:
        """How a table of texts is to be read."""
        given: dict[str, Any] = {name: getattr(self, name) for name in DIALECT}
        return TableOptions(**given)


def choose_tokenizer(
    ctx: RunContext,
    params: TextParams,
    model: ModelRef | None,
    texts: Sequence[str],
    kind: Literal["bpe", "wordpiece"],
    *,
    lower: bool = True,
) -> TextTokenizer:
    """The tokenizer of the model that is connected, that of a file, or one trained on the texts.

    Raises
    ------
    UserError
        When the model has none, or the file is none.
    """
    content = _given(ctx, params, model)
    if content is not None:
        return TextTokenizer(content)
    ctx.check_cancelled()
    tokenizer = train_tokenizer(texts, kind=kind, size=params.vocabulary, lower=lower)
    ctx.log("Trained a tokenizer of {size} tokens", size=tokenizer.size)
    return tokenizer


def _given(ctx: RunContext, params: TextParams, model: ModelRef | None) -> bytes | None:
    if model is not None:
        if TOKENIZER not in model.files:
            raise UserError(
                "The model brings no tokenizer",
                field="model",
                hint="Connect a model of texts with weights, or remove the wire: then a tokenizer is trained.",
            )
        return model.read_bytes(TOKENIZER)
    if params.tokenizer_file:
        ref = ctx.store.open(params.tokenizer_file)
        if not isinstance(ref, FileRef):
            raise UserError("This is a {kind}, not an uploaded file", field="tokenizer_file", kind=ref.kind)
        return ref.read_bytes("content")
    if params.tokenizer_path:
        return local(ctx, params.tokenizer_path).read_bytes()
    return None


def say(ctx: RunContext, findings: Sequence[Finding]) -> None:
    """Pass on what was found while reading."""
    for finding in findings:
        tell = ctx.warn if finding.severity == "warning" else ctx.log
        tell(finding.template, **finding.values)
