"""From older document formats to today's.

Called by :func:`engine.graph.document.parse_document` alone. Each step either succeeds or says what it could not
carry over; a newer format is refused, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from engine.errors import UserError

NUMBER = 1
FORMAT = f"deepseek.pipeline/{NUMBER}"

Migration = Callable[[dict[str, Any]], dict[str, Any]]


def _from_0(body: dict[str, Any]) -> dict[str, Any]:
    """Format 0 kept blocks as a list with the id inside and wires as objects with ``from`` and ``to``."""
    blocks, positions = {}, {}
    for item in body.get("blocks", []):
        item = dict(item)
        id_ = item.pop("id", None)
        position = item.pop("position", None)
        if id_ is None:
            raise UserError("A block of the older format has no id, so its wires cannot be carried over")
        blocks[id_] = item
        if position is not None:
            positions[id_] = position
    wires = [[wire["from"], wire["to"]] for wire in body.get("wires", [])]
    rest = {k: v for k, v in body.items() if k in ("name", "seed")}
    return {**rest, "blocks": blocks, "wires": wires, "layout": {"positions": positions}}


MIGRATIONS: dict[int, Migration] = {0: _from_0}


def migrate(body: dict[str, Any]) -> dict[str, Any]:
    """Bring a document to today's format.

    Raises
    ------
    UserError
        For something that is no pipeline, a newer format, or an older one that cannot be carried over.
    """
    match = re.fullmatch(r"deepseek\.pipeline/(\d{1,6})", str(body.get("format", "")))
    if match is None:
        raise UserError(
            "This is not a pipeline of DeepSeek Studio",
            hint='A pipeline has "format": "{format}"; this file has {found}.',
            format=FORMAT,
            found=str(body["format"])[:60] if "format" in body else "none",
        )
    number = int(match[1])
    if number > NUMBER:
        raise UserError(
            "This pipeline was made by a newer DeepSeek Studio (format {number}; this one reads up to {known})",
            hint="Update DeepSeek Studio, or export the pipeline again from an older one.",
            number=number,
            known=NUMBER,
        )
    for step in range(number, NUMBER):
        try:
            body = {**MIGRATIONS[step](body), "format": f"deepseek.pipeline/{step + 1}"}
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                "The pipeline says it has format {number}, but it does not have its shape ({problem})",
                number=step,
                problem=repr(error),
            ) from None
    return body
