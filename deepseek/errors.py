"""The errors a person meets in Python or on the command line.

Raised by every module of ``deepseek``; ``deepseek.local`` and ``deepseek.client`` turn what the engine and the studio
say into these. Must not know how they are shown: ``deepseek.cli.app`` prints them, a notebook shows them as they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any


class DeepSeekError(Exception):
    """Something a person can act on.

    Parameters
    ----------
    message
        What is wrong.
    hint
        What to do next.
    block, field
        Block of the pipeline and its parameter or port, when the error has a place there.
    traceback
        Traceback from the process or machine where it happened, when that was another one.

    Examples
    --------
    >>> print(DeepSeekError("No such file: a.csv", hint="Did you mean b.csv?"))
    No such file: a.csv. Did you mean b.csv?
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        block: str | None = None,
        field: str | None = None,
        traceback: str | None = None,
    ) -> None:
        self.message = message
        self.hint = hint
        self.block = block
        self.field = field
        self.traceback = traceback
        super().__init__(self._text())

    def _text(self) -> str:
        place = ".".join(part for part in (self.block, self.field) if part)
        text = f"{place}: {self.message}" if place else self.message
        if not self.hint:
            return text
        return f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {self.hint}"

    @classmethod
    def from_json(cls, error: Mapping[str, Any]) -> DeepSeekError:
        """From the error JSON of the engine or of the REST API.

        >>> DeepSeekError.from_json({"message": "Too large", "block": "train", "field": "lr"}).field
        'lr'
        """
        return cls(
            str(error.get("message") or "Something went wrong"),
            hint=error.get("hint"),
            block=error.get("block"),
            field=error.get("field"),
            traceback=error.get("traceback"),
        )


class UsageError(DeepSeekError, ValueError):
    """What was asked for makes no sense: a wrong name, value, file or pipeline."""

    exit_code = 2


class RunFailed(DeepSeekError):
    """A block of the pipeline failed."""


class RunCancelled(DeepSeekError):
    """The run was cancelled before its end."""

    exit_code = 130


class StudioUnreachable(DeepSeekError, ConnectionError):
    """The studio did not answer."""


def closest(word: str, words: Iterable[str]) -> str | None:
    """The word that a person probably meant.

    >>> closest("resnet81", ["mlp", "resnet18"])
    'resnet18'
    >>> closest("cifar", ["digits"]) is None
    True
    """
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(what: str, word: str, words: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with what was probably meant.

    >>> print(unknown("parameter", "epoch", ["epochs", "lr"]))
    There is no parameter 'epoch'. Did you mean 'epochs'?
    """
    known = sorted(words)
    guess = closest(word, known)
    if guess:
        hint = f"Did you mean {guess!r}?"
    elif known:
        hint = f"There are: {', '.join(known)}."
    else:
        hint = None
    return UsageError(f"There is no {what} {word!r}", hint=hint)
