"""Errors as answers: the one place that turns an exception into a status and the API's error JSON.

Used by every app that refuses something, by the API and by ``DenyByDefault``. A message is an English template with
values, so that the browser can say it in its own language.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse

from webapp.bridge import StudioError, UserError, render

log = logging.getLogger(__name__)
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class ApiError(Exception):
    """A refusal with its HTTP status; ``extra`` are further keys of the answer."""

    def __init__(
        self,
        status: int,
        template: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        block: str | None = None,
        kind: str = "user",
        extra: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> None:
        self.status = status
        self.extra = dict(extra or {})
        self.body = {
            "kind": kind,
            "message": render(template, values),
            "template": template,
            "values": values,
            "hint": None if hint is None else render(hint, values),
            "hint_template": hint,
            "block": block,
            "field": field,
        }
        super().__init__(self.body["message"])

    def to_json(self) -> dict[str, Any]:
        """The whole answer."""
        return {"error": self.body, **self.extra}


def not_found() -> ApiError:
    """There is no such object, or it is none of the asker's business."""
    return ApiError(
        404, "There is no such object", hint="It may have been deleted, or it belongs to another workspace."
    )


def forbidden(role: str) -> ApiError:
    """The person sees the object but has too low a role."""
    return ApiError(
        403, "This needs the role {role} in the workspace", hint="Ask an owner of the workspace.", role=role
    )


def not_logged_in() -> ApiError:
    """Nobody is logged in and no valid key was sent."""
    return ApiError(401, "Log in first", hint="Programs send an API key: Authorization: Bearer dsk_...")


def disk_full() -> ApiError:
    """The server has no room."""
    return ApiError(507, "The disk of the server is full", hint="Nothing was changed. Free some space and try again.")


def as_answer(error: Exception) -> ApiError:
    """Any exception as a refusal; what is not foreseen is a bug, logged with its traceback."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, UserError):
        return _from_engine(400, error)
    if isinstance(error, StudioError):
        return _from_engine(503, error)
    if isinstance(error, OSError) and error.errno in NO_SPACE or "database or disk is full" in str(error):
        return disk_full()
    if isinstance(error, RequestDataTooBig):
        return ApiError(413, "The request is too large")
    if isinstance(error, BadRequest | SuspiciousOperation):
        return ApiError(400, "The request cannot be read")
    log.exception("unforeseen", exc_info=error)
    return ApiError(500, "Something went wrong in the studio", hint="The server's log says what.", kind="bug")


def error_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to a request that failed with this exception."""
    answer = as_answer(error)
    response = JsonResponse(answer.to_json(), status=answer.status)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def error_bytes(error: ApiError) -> bytes:
    """The body of the answer, for places below Django."""
    return json.dumps(error.to_json()).encode()


def _from_engine(status: int, error: StudioError) -> ApiError:
    answer = ApiError(status, error.template)
    answer.body = {key: value for key, value in error.to_json().items() if key != "traceback"}
    return answer
