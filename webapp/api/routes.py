"""Puts the REST API together: one router a room, one mapping of errors. Mounted by ``webapp.urls`` at ``/api/v1``.

Who gets in is decided before, by ``webapp.security.DenyByDefault``; who may do what, by ``webapp.workspaces.access``.
"""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer, django_auth

from webapp.api.errors import ApiError, error_response, not_found, not_logged_in
from webapp.api.validation import validation_error

ROUTERS = (
    "webapp.accounts.api.router",
    "webapp.workspaces.api.router",
    "webapp.pipelines.api.router",
    "webapp.runs.api.router",
    "webapp.queue.api.router",
    "webapp.artifacts.api.router",
    "webapp.artifacts.data_api.router",
    "webapp.artifacts.models_api.router",
)


class ApiKey(HttpBearer):
    """An API key. ``DenyByDefault`` has checked it already; this names it in the description of the API."""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        """The owner of the key."""
        return request.user if request.user.is_authenticated else None


api = NinjaAPI(
    title="DeepSeek Studio",
    version="1",
    description="Everything the browser does. Programs send `Authorization: Bearer dsk_...`.",
    urls_namespace="api",
    auth=[ApiKey(), django_auth],
)
for name in ROUTERS:
    api.add_router("", name)


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """The first thing that does not fit the description of the endpoint."""
    return error_response(request, validation_error(error.errors))


@api.exception_handler(AuthenticationError)
def unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    """Nobody the API knows."""
    return error_response(request, not_logged_in())


@api.exception_handler(HttpError)
def refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What the framework refuses by itself: bodies that are not JSON."""
    return error_response(request, ApiError(error.status_code, "The request cannot be read"))


@api.exception_handler(Http404)
def missing(request: HttpRequest, error: Http404) -> HttpResponse:
    """Some view raised Django's own 404."""
    return error_response(request, not_found())


@api.exception_handler(Exception)
def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Everything else: refusals of ours keep their words, the rest is a bug."""
    return error_response(request, error)
