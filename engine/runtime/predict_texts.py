"""Try a model of texts on a file.

Called by :mod:`engine.runtime.predict`. A classifier answers each line of a plain text, or each row of a table or of
JSON lines; a language model goes on with the whole text; a model for hidden tokens fills in each ``[MASK]`` of it.

Options of a language model: ``max_tokens`` (at most 512), ``temperature``, ``top_k``, ``top_p`` and ``seed``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.datasets.previews import TEXTS, shortened
from engine.errors import UserError
from engine.runtime.predictor import Predictor
from engine.text.read import read_corpus

NAME_LENGTH = 80
MOST = 10_000


class WritingOptions(BaseModel):
    """What a person may choose when a language model writes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: int = Field(100, ge=1, le=512)
    temperature: float = Field(0.8, ge=0, le=10)
    top_k: int = Field(0, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    seed: int = Field(0, ge=0, lt=2**63)


def try_texts(predictor: Predictor, path: Path, options: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Answers to a file, and a preview of them.

    Raises
    ------
    UserError
        When the file holds no text, or an option is not valid.
    """
    if predictor.spec.task in ("language_model", "masked_lm"):
        text = "\n\n".join(read_corpus(path).texts).removesuffix("\n")
        writes = predictor.spec.task == "language_model"
        answer = _written(predictor, text, options) if writes else _filled(predictor, text)
        return [answer], _preview([answer.get("prompt", "") + answer["text"]], [{}])
    texts = read_corpus(path, divided="lines").texts[:MOST]
    records = predictor.predict_texts(texts).records()
    answers = [{"name": shortened(text, NAME_LENGTH), **record} for text, record in zip(texts, records, strict=True)]
    said = [_said(record) for record in records]
    return answers, _preview(texts, said)


def _said(record: dict[str, Any]) -> dict[str, Any]:
    if "value" in record:
        return {"predicted": f"{record['value']:.6g}"}
    return {"predicted": record["label"], "probability": record["probability"]}


def _written(predictor: Predictor, prompt: str, options: dict[str, Any]) -> dict[str, Any]:
    try:
        chosen = WritingOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            "The option {option} is not valid: {problem}",
            option=".".join(str(part) for part in first["loc"]),
            problem=first["msg"],
        ) from None
    text = predictor.write(prompt, **chosen.model_dump())
    return {"name": "text", "prompt": prompt, "text": text}


def _filled(predictor: Predictor, text: str) -> dict[str, Any]:
    found = predictor.fill(text)
    return {"name": "text", "top": found["masks"][0], **found}


def _preview(texts: list[str], said: list[dict[str, Any]]) -> dict[str, Any]:
    items = [{"text": shortened(text), **more} for text, more in zip(texts[:TEXTS], said, strict=False)]
    return {"kind": "texts", "total": len(texts), "items": items}
