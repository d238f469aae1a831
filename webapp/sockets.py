"""Who may open a WebSocket: exact origins, logged-in people, known paths; everybody else before it is accepted.

Called by ``webapp.asgi``. Consumers behind it find a real user in ``scope["user"]``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import URLPattern
from django.urls.exceptions import Resolver404

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def guarded(routes: list[URLPattern]) -> App:
    """The application for WebSockets."""
    return ExactOrigin(AuthMiddlewareStack(LoggedIn(KnownPath(URLRouter(routes)))))


async def refuse(receive: Receive, send: Send) -> None:
    """Close the handshake, so that the client sees HTTP 403 and never a socket."""
    await receive()
    await send({"type": "websocket.close", "code": 4403})


class ExactOrigin:
    """A browser's ``Origin`` must be the address it asked for, or one of ``ALLOWED_ORIGINS``, to the letter."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        given = [value for name, value in headers if name == b"origin"]
        hosts = [value for name, value in headers if name == b"host"]
        if len(given) != 1 or len(hosts) != 1 or not is_allowed(given[0], hosts[0]):
            await refuse(receive, send)
            return
        await self._inner(scope, receive, send)


def is_allowed(origin: str, host: str) -> bool:
    """True when a page of this origin may open a socket at this host."""
    if origin in settings.ALLOWED_ORIGINS:
        return True
    name = f"[{address}]" if ":" in (address := urlsplit(f"//{host}").hostname or "") else address
    return name in settings.ALLOWED_HOSTS and origin in {f"http://{host}", f"https://{host}"}


class LoggedIn:
    """Anonymous sockets are refused."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = scope.get("user")
        if user is None or not user.is_authenticated or not user.is_active:
            await refuse(receive, send)
            return
        await self._inner(scope, receive, send)


class KnownPath:
    """An unknown path is refused like the rest, instead of ending in a traceback."""

    def __init__(self, router: URLRouter) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].lstrip("/")
        if not any(_matches(route, path) for route in self._router.routes):
            await refuse(receive, send)
            return
        await self._router(scope, receive, send)


def _matches(route: URLPattern, path: str) -> bool:
    try:
        return route.pattern.match(path) is not None
    except Resolver404:
        return False
