"""Texts on their way to the blocks that read them, and what a person asks a model of texts.

Called by ``Dataset`` and ``Model``. Must not import the engine (see ``deepseek.local``).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from deepseek.errors import UsageError

ENDINGS = {".jsonl", ".ndjson", ".json"}
TASKS = {"language_model", "masked_lm"}


def block_for(ending: str, given: Mapping[str, Any]) -> str | None:
    """The block that reads a file of texts; None when it is no such file.

    >>> block_for(".csv", {"text": "review"}), block_for(".txt", {"task": "language_model"}), block_for(".csv", {})
    ('data.text', 'data.text_corpus', None)
    """
    if given.get("task") in TASKS:
        return "data.text_corpus"
    return "data.text" if "text" in given or ending in ENDINGS else None


def named(type_: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as the block calls them: what is to be predicted of a text is its label."""
    if type_ != "data.text":
        return dict(given)
    return {"label" if name == "target" else name: value for name, value in given.items()}


def pack(written: Sequence[str], labels: Sequence[Any] | None) -> bytes:
    """Texts, perhaps with labels, as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(written, str) or not all(isinstance(text, str) for text in written):
        raise UsageError("Texts come as a list of strings")
    columns: dict[str, Any] = {"text": pa.array(list(written), pa.string())}
    if labels is not None:
        if len(labels) != len(written):
            raise UsageError(f"There are {len(written)} texts and {len(labels)} labels")
        columns["label"] = pa.array([str(label) for label in labels], pa.string())
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def read_lines(content: bytes) -> list[str]:
    """The lines of a text file that hold something."""
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError("The file is not text in UTF-8") from None
    return [line for line in lines if line.strip()]
