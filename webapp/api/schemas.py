"""Shapes that several rooms of the API share. A room's own shapes stand beside its endpoints."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import ninja
from pydantic import ConfigDict


class Input(ninja.Schema):
    """What a caller sends; a key that nobody knows is an error, never ignored."""

    model_config = ConfigDict(extra="forbid")


class ErrorBody(ninja.Schema):
    kind: str
    message: str
    template: str
    values: dict[str, Any]
    hint: str | None = None
    hint_template: str | None = None
    block: str | None = None
    field: str | None = None


class Error(ninja.Schema):
    error: ErrorBody


ERRORS = {frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 507}): Error}


def items(rows: Iterable[Any], total: int | None = None) -> dict[str, Any]:
    """A list as the API answers it."""
    found = list(rows)
    return {"items": found, "total": len(found) if total is None else total}


def hex_of(value: uuid.UUID | None) -> str | None:
    """An id as URLs and JSON carry it."""
    return None if value is None else value.hex


def moment(value: datetime | None) -> str | None:
    """A time as JSON carries it: ISO 8601 in UTC.

    >>> moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05.000Z'
    """
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
