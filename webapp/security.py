"""Who gets in: every HTTP request needs a session or an API key, unless :mod:`webapp.public` lists its path.

Middleware, called by Django for every request. Sessions are checked for forgery (CSRF token, ``Sec-Fetch-Site``) on
everything that changes something; API requests carry JSON and nothing a plain HTML form could send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.http import urlencode
from whitenoise.middleware import WhiteNoiseMiddleware

from webapp.accounts.secrets import user_of_key
from webapp.api.errors import ApiError, error_response, not_logged_in
from webapp.public import is_public

Handler = Callable[[HttpRequest], HttpResponse]
API = "/api/"
SAFE = {"GET", "HEAD", "OPTIONS"}
# Uploads are the only requests with another body than JSON.
UPLOADS = re.compile(r"/api/v1/(projects/[0-9a-f]{32}/data|models/[0-9a-f]{32}/predict)")


class DenyByDefault:
    """Lets a request pass when it is public or shows who sends it.

    1. A session counts as it stands; an ``Authorization: Bearer`` header replaces it. 2. Without either: 401 in the
    API, the login page elsewhere. 3. API requests of a session that change something need the CSRF token. 4. Bodies
    are JSON.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            self._admit(request)
        except ApiError as error:
            if error.status == 401 and not request.path.startswith(API) and request.method in SAFE:
                return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode({'next': request.get_full_path()})}")
            return error_response(request, error)
        except OSError as error:  # looking for the token reads the body, which may fill the disk
            return error_response(request, error)
        return self._handler(request)

    def _admit(self, request: HttpRequest) -> None:
        if is_public(request.path):
            return
        bearer = request.headers.get("Authorization", "")
        if bearer:
            user = user_of_key(bearer.removeprefix("Bearer ").strip()) if bearer.startswith("Bearer ") else None
            if user is None or not request.path.startswith(API):
                raise not_logged_in()
            request.user = user
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # Django's own mark
        elif not request.user.is_authenticated:
            raise not_logged_in()
        elif request.path.startswith(API) and request.method not in SAFE:
            check_not_forged(request)
        if request.path.startswith(API):
            check_body_type(request)


class _Forgery(CsrfViewMiddleware):
    """Django's check, answering with the reason instead of a page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


_forgery = _Forgery(lambda request: HttpResponse())


def check_not_forged(request: HttpRequest) -> None:
    """Refuse a request that another site made the browser send."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise ApiError(403, "This request came from another site")
    _forgery.process_request(request)
    if _forgery.process_view(request, _unprotected, (), {}):
        raise ApiError(403, "The CSRF token is missing or wrong", hint="Reload the page and try again.")


def _unprotected(request: HttpRequest) -> HttpResponse:
    raise AssertionError("only its absence of csrf_exempt is looked at")


def check_body_type(request: HttpRequest) -> None:
    """Refuse bodies that are neither JSON nor, where files are uploaded, multipart."""
    if request.method in SAFE:
        return
    has_body = request.META.get("CONTENT_LENGTH") not in {None, "", "0"}
    has_body = has_body or "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    expected = "multipart/form-data" if UPLOADS.fullmatch(request.path) and request.method == "POST" else ""
    if has_body and request.content_type not in {expected, "application/json"} - {""}:
        raise ApiError(
            415,
            "The body must be {expected}",
            hint="Set the Content-Type header.",
            expected=expected or "application/json",
        )


class ContentSecurityPolicy:
    """Says what a page may load: our own scripts only, no inline script, no frame around us.

    Inline styles are allowed because charts set them; images may be blobs because charts export them.
    """

    POLICY = "; ".join(
        [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._policy = f"{self.POLICY}; frame-src {settings.CONTENT_ORIGIN}"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._handler(request)
        response.headers.setdefault("Content-Security-Policy", self._policy)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        return response


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise; under ASGI it answers from memory, because Django would gather its iterator there anyway."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = WhiteNoiseMiddleware.serve(static_file, request)
        if not isinstance(request, ASGIRequest) or not isinstance(response, FileResponse):
            return response
        whole = HttpResponse(b"".join(cast(Iterator[bytes], response)), status=response.status_code)
        whole.headers = response.headers
        response.close()
        return whole

    def immutable_file_test(self, path: str, url: str) -> bool:
        """The front end's files carry the hash of their content in their names."""
        return "/assets/" in url
