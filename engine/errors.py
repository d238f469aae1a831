"""The four kinds of error, and how each one is written down.

Called by every room. A message is an English *template* with ``{name}`` places and the values that fill
them, so that the browser can translate the template and fill it itself. Must not know who shows it.
"""

from __future__ import annotations

import traceback
from typing import Any


class StudioError(Exception):
    """An error with a message that a person can act on.

    Parameters
    ----------
    message
        English template, for example ``"Batch size {size} does not fit"``.
    block, field
        Block id and parameter or port name where the error belongs, when known.
    hint
        Template that says what to do next.
    values
        What fills the places of both templates. JSON values only.
    """

    kind = "bug"

    def __init__(
        self,
        message: str,
        *,
        block: str | None = None,
        field: str | None = None,
        hint: str | None = None,
        **values: Any,
    ) -> None:
        self.template = message
        self.values = values
        self.block = block
        self.field = field
        self.hint_template = hint
        super().__init__(render(message, values))

    @property
    def message(self) -> str:
        """The message in English."""
        return str(self)

    @property
    def hint(self) -> str | None:
        """The hint in English."""
        return None if self.hint_template is None else render(self.hint_template, self.values)

    def to_json(self) -> dict[str, Any]:
        """The error as the event log, the API and the browser carry it."""
        return {
            "kind": self.kind,
            "message": self.message,
            "template": self.template,
            "values": self.values,
            "hint": self.hint,
            "hint_template": self.hint_template,
            "block": self.block,
            "field": self.field,
            "traceback": None,
        }


class UserError(StudioError):
    """Bad input: shown at the block and field it belongs to.

    Examples
    --------
    >>> error = UserError("Column {name} is missing", block="data", field="target", name="price")
    >>> error.message, error.block
    ('Column price is missing', 'data')
    """

    kind = "user"


class TransientError(StudioError):
    """Something that may work in a moment; ``retry_in_s`` says when to try again."""

    kind = "transient"

    def __init__(self, message: str, *, retry_in_s: float = 5.0, **values: Any) -> None:
        super().__init__(message, **values)
        self.retry_in_s = retry_in_s


class CancelledRun(StudioError):
    """A person stopped the run."""

    kind = "cancelled"

    def __init__(self, message: str = "The run was cancelled", **values: Any) -> None:
        super().__init__(message, **values)


class InterruptedRun(CancelledRun):
    """The machine asked the run to stop (a deploy, a shutdown); it continues elsewhere.

    A kind of cancellation, so that a loop which saves a checkpoint before it stops needs one ``except``.
    """

    kind = "transient"

    def __init__(self, message: str = "The run was interrupted and will continue") -> None:
        super().__init__(message)


def render(template: str, values: dict[str, Any]) -> str:
    """Fill the places of a template; a template whose places do not fit is shown as it is.

    >>> render("{a} of {b}", {"a": 1, "b": 2})
    '1 of 2'
    >>> render("50 % of {", {})
    '50 % of {'
    """
    if not values:
        return template
    try:
        return template.format_map(values)
    except (KeyError, IndexError, ValueError, AttributeError):
        return template


def error_json(error: BaseException) -> dict[str, Any]:
    """Any exception as error JSON: the closed kinds keep their words, the rest is a bug with its traceback."""
    if isinstance(error, StudioError):
        return error.to_json()
    text = f"{type(error).__name__}: {error}"
    return {
        "kind": "bug",
        "message": text,
        "template": "{error}",
        "values": {"error": text},
        "hint": None,
        "hint_template": None,
        "block": None,
        "field": None,
        "traceback": "".join(traceback.format_exception(error)),
    }
