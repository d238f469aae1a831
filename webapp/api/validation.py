"""What is wrong with a body that does not fit its endpoint, in words that can be translated. Called by the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webapp.api.errors import ApiError, not_found

# Names that the framework puts in front of a field: they are ours, not the caller's.
WRAPPERS = {"body", "query", "form", "file", "payload", "filters"}


def validation_error(errors: Sequence[Mapping[str, Any]]) -> ApiError:
    """The first thing that does not fit; a path that does not fit names nothing that exists."""
    first = errors[0]
    if first["loc"][0] == "path":
        return not_found()
    place = [str(step) for step in first["loc"][1:] if step not in WRAPPERS] or [str(first["loc"][-1])]
    return _say(first["type"], first.get("ctx") or {}, str(first["msg"]), place[0], ".".join(place))


def _say(kind: str, facts: Mapping[str, Any], words: str, field: str, where: str) -> ApiError:
    if kind == "missing":
        return ApiError(422, "{where} is missing", field=field, where=where)
    if kind == "extra_forbidden":
        return ApiError(422, "{where} is not known here", field=field, where=where)
    if kind == "string_too_short":
        least = facts["min_length"]
        return ApiError(422, "{where} needs at least {least} characters", field=field, where=where, least=least)
    if kind == "string_too_long":
        most = facts["max_length"]
        return ApiError(422, "{where} has at most {most} characters", field=field, where=where, most=most)
    if kind == "literal_error":
        return ApiError(422, "{where} must be one of {expected}", field=field, where=where, expected=facts["expected"])
    if kind.endswith(("_type", "_parsing")):
        return ApiError(422, "{where} has the wrong type", field=field, where=where)
    problem = words.removeprefix("Value error, ")
    return ApiError(422, "{where} cannot be used: {problem}", field=field, where=where, problem=problem)
