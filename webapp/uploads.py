"""Stops bodies that are too large, or whose sender is nobody, before they are stored anywhere.

Called by ``webapp.asgi`` around Django, which would write a whole body to its temporary folder before it looks at the
sender. Must not know what is uploaded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings

from webapp.accounts.secrets import user_of_key
from webapp.api.errors import NO_SPACE, ApiError, disk_full, error_bytes, not_logged_in
from webapp.security import UPLOADS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
MIB = 2**20


class LimitBodies:
    """Counts the bytes of a body as they arrive; uploads may be large, when a known person sends them."""

    def __init__(self, inner: App) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_upload = scope["method"] == "POST" and UPLOADS.fullmatch(scope["path"]) is not None
        limit = settings.UPLOAD_MAX_MIB * MIB if is_upload else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        guard = _Guard(send)
        try:
            if is_upload and not await _is_known(scope):
                raise not_logged_in()
            if _declared(scope) > limit:
                raise _too_large(limit)
            await self._inner(scope, _counted(receive, limit), guard.send)
        except ApiError as error:
            await guard.answer(error)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            await guard.answer(disk_full())


class _Guard:
    """Remembers whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._has_begun = False

    async def send(self, message: Message) -> None:
        self._has_begun = True
        await self._send(message)

    async def answer(self, error: ApiError) -> None:
        if self._has_begun:
            raise error
        body = error_bytes(error)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await self._send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


def _declared(scope: Scope) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(lengths[0]) if lengths and lengths[0].isdigit() else 0


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "The request is larger than {limit_mib} MiB", limit_mib=limit // MIB)


async def _is_known(scope: Scope) -> bool:
    """True when the request carries a valid key or a session. Django looks again, with all its checks."""
    bearers = [value for name, value in scope["headers"] if name == b"authorization"]
    if bearers:
        text = bearers[0].decode("latin-1").removeprefix("Bearer ").strip()
        return await database_sync_to_async(user_of_key)(text) is not None
    found = False

    async def look(inner_scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal found
        found = (await get_user(inner_scope)).is_authenticated

    await CookieMiddleware(SessionMiddleware(look))(dict(scope), _nothing, _nowhere)
    return found


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _nowhere(message: Message) -> None:
    """The look at the session answers nothing."""
