"""What can be set when a table is read, and what is said about it.

Called by every reader here. A value of ``auto`` is detected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from engine.errors import render

ColumnType = Literal["number", "category", "text", "date", "boolean", "ignore"]
Encoding = Literal[
    "auto", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "big5", "shift_jis", "cp1252", "latin-1"
]
Task = Literal["auto", "classification", "regression"]


class TableOptions(BaseModel):
    """How to read a table.

    Attributes
    ----------
    encoding, delimiter, header, decimal, thousands, day_first
        The dialect of a text file. ``delimiter`` is ``auto`` or one character.
    missing
        Words that mean "no value"; None for the usual ones.
    sheet
        Name of an Excel sheet; empty for the first that has data.
    ragged
        What to do with lines that have too few or too many cells.
    columns
        Column name -> type, for those that were guessed wrong; ``ignore`` leaves a column out.
    target, task
        What to predict; an empty target is guessed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: Encoding = "auto"
    delimiter: str = "auto"
    header: Literal["auto", "yes", "no"] = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    thousands: Literal["auto", "none", ",", ".", " ", "'"] = "auto"
    day_first: Literal["auto", "yes", "no"] = "auto"
    missing: list[str] | None = None
    sheet: str = ""
    ragged: Literal["error", "skip", "pad"] = "error"
    columns: dict[str, ColumnType] = {}
    target: str = ""
    task: Task = "auto"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know about their table.

    Examples
    --------
    >>> Finding("info", "{count} rows", {"count": 3}).to_json()["message"]
    '3 rows'
    """

    severity: Literal["error", "warning", "info"]
    template: str
    values: dict[str, Any] = field(default_factory=dict)
    hint: str | None = None
    field: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the API carries a problem."""
        return {
            "severity": self.severity,
            "template": self.template,
            "values": self.values,
            "message": render(self.template, self.values),
            "hint": None if self.hint is None else render(self.hint, self.values),
            "hint_template": self.hint,
            "field": self.field,
        }
