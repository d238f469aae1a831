"""Bodies are counted as they come; nobody's are not read at all."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from webapp.accounts.secrets import create_key
from webapp.uploads import LimitBodies

UPLOAD = "/api/v1/projects/0123456789abcdef0123456789abcdef/data"


class Inner:
    """An application that reads the whole body and answers 200."""

    def __init__(self, error: Exception | None = None) -> None:
        self.received = 0
        self.was_called = False
        self._error = error

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.was_called = True
        while True:
            message = await receive()
            self.received += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if self._error:
            raise self._error
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def post(
    inner: Inner, path: str, pieces: Iterable[bytes], headers: list[tuple[bytes, bytes]] | None = None
) -> tuple[int, dict[str, Any]]:
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers or [], "query_string": b""}
    caller = ApplicationCommunicator(LimitBodies(inner), scope)
    for piece in pieces:
        await caller.send_input({"type": "http.request", "body": piece, "more_body": True})
    await caller.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await caller.receive_output(5)
    body = await caller.receive_output(5)
    await caller.wait(5)
    return start["status"], json.loads(body["body"])


async def test_a_small_body_passes() -> None:
    assert await post(Inner(), "/api/v1/me", [b"{}"]) == (200, {})


async def test_a_large_body_is_stopped_while_it_comes() -> None:
    inner = Inner()
    pieces = [b"x" * 2**20] * 40

    status, answer = await post(inner, "/api/v1/me", pieces)

    assert (status, answer["error"]["template"]) == (413, "The request is larger than {limit_mib} MiB")
    assert inner.received <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE


async def test_a_body_that_says_it_is_large_is_not_read() -> None:
    inner = Inner()

    status, _ = await post(inner, "/api/v1/me", [], [(b"content-length", b"999999999999")])

    assert status == 413
    assert not inner.was_called


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "headers",
    [[], [(b"authorization", b"Bearer dsk_00000000_" + b"x" * 43)], [(b"cookie", b"session=" + b"x" * 32)]],
)
async def test_the_upload_of_nobody_is_not_read(headers: list[tuple[bytes, bytes]]) -> None:
    inner = Inner()

    status, answer = await post(inner, UPLOAD, [b"x" * 100], headers)

    assert (status, answer["error"]["message"]) == (401, "Log in first")
    assert not inner.was_called


@pytest.fixture
def credentials(people: Any) -> dict[str, tuple[bytes, bytes]]:
    client = Client()
    client.force_login(people.editor)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return {
        "session": (b"cookie", cookie.encode()),
        "key": (b"authorization", f"Bearer {create_key(people.editor, 'test')[1]}".encode()),
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["session", "key"])
async def test_the_upload_of_a_person_may_be_large(credentials: dict[str, tuple[bytes, bytes]], kind: str) -> None:
    inner = Inner()
    pieces = [b"x" * 2**20] * 20

    status, _ = await post(inner, UPLOAD, pieces, [credentials[kind]])

    assert (status, inner.received) == (200, 20 * 2**20)


@pytest.mark.django_db(transaction=True)
async def test_an_upload_has_a_limit_too(credentials: dict[str, tuple[bytes, bytes]], settings: Any) -> None:
    settings.UPLOAD_MAX_MIB = 1

    status, _ = await post(Inner(), UPLOAD, [b"x" * 2**20] * 3, [credentials["key"]])

    assert status == 413


async def test_a_disk_that_fills_up_while_reading_is_507() -> None:
    status, answer = await post(Inner(OSError(errno.ENOSPC, "full")), "/api/v1/me", [b"{}"])

    assert (status, answer["error"]["template"]) == (507, "The disk of the server is full")
