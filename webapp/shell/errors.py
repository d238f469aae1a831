"""Error pages, and error JSON for paths of the API. Called by Django."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from webapp.api.errors import ApiError, error_response
from webapp.api.errors import not_found as no_such_object


def page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """A page that says what is wrong and what to do next."""
    return render(request, "error.html", {"title": title, "text": text, "status": status}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith("/api/"):
        return error_response(request, ApiError(400, "The request cannot be read"))
    return page(request, 400, _("This request cannot be read"), _("Check the address and try again."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return page(request, 403, _("You may not do this"), _("Ask an owner of the workspace for a higher role."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return page(request, 403, _("This page is too old"), _("Go back, reload the page and try again."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith("/api/"):
        return error_response(request, no_such_object())
    return page(
        request,
        404,
        _("There is nothing here"),
        _("It may have been deleted, or it belongs to a workspace that you are not a member of."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return error_response(request, ApiError(500, "Something went wrong in the studio", kind="bug"))
    return page(request, 500, _("Something went wrong in the studio"), _("The server's log says what."))
