"""Sockets open for exact origins only."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.test.utils import override_settings

from tests.webapp.live.client import Socket
from tests.webapp.runs_support import make_run
from webapp.sockets import is_allowed

HOST = "localhost:8000"
BAD_ORIGINS = [
    "",
    "null",
    "file://",
    "http://localhost",
    "http://localhost:8001",
    "http://localhost:80000",
    "http://localhost:8000.evil.example",
    "http://evil.example/localhost:8000",
    "http://localhost:8000@evil.example",
    "http://user@localhost:8000",
    "http://LOCALHOST:8000",
    "http://xlocalhost:8000",
    "http://localhost:8000/",
    "http://localhost:8000/x",
    "ws://localhost:8000",
    "http://localhost\u3002evil.example",
    "http://127.0.0.1:8000",
    " http://localhost:8000",
]


@pytest.mark.parametrize("origin", BAD_ORIGINS)
def test_other_origins_are_refused(origin: str) -> None:
    assert not is_allowed(origin, HOST)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9", "[::1]:8000", "localhost"])
def test_the_own_origin_is_allowed(host: str) -> None:
    assert is_allowed(f"http://{host}", host)


def test_an_unknown_host_has_no_own_origin() -> None:
    assert not is_allowed("http://evil.example", "evil.example")


@override_settings(ALLOWED_ORIGINS=["https://studio.example.org"])
def test_listed_origins_are_allowed_to_the_letter() -> None:
    assert is_allowed("https://studio.example.org", "inside:8000")
    assert not is_allowed("https://studio.example.org.evil.example", "inside:8000")
    assert not is_allowed("http://studio.example.org", "inside:8000")


@pytest.fixture
def watched(people: Any) -> tuple[str, bytes]:
    """A run's socket, and the cookie of somebody who may watch it."""
    client = Client()
    client.force_login(people.viewer)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return f"/ws/runs/{make_run(people.project).pk.hex}", cookie.encode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("origins", "accepted"),
    [
        ([b"http://localhost:8000"], True),
        ([b"http://evil.example"], False),
        ([], False),
        ([b"http://localhost:8000", b"http://evil.example"], False),
    ],
)
async def test_a_session_counts_only_from_the_own_origin(
    watched: tuple[str, bytes], origins: list[bytes], accepted: bool
) -> None:
    from webapp.asgi import application

    path, cookie = watched
    headers = [(b"host", HOST.encode()), (b"cookie", cookie), *[(b"origin", origin) for origin in origins]]
    socket = Socket(application, path.lstrip("/"), headers)

    found, _ = await socket.connect()

    assert found is accepted
    if found:
        await socket.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_stranger_to_the_workspace_gets_no_socket(people: Any, watched: tuple[str, bytes]) -> None:
    from asgiref.sync import sync_to_async

    from webapp.asgi import application

    client = Client()
    await sync_to_async(client.force_login)(people.stranger)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    headers = [(b"host", HOST.encode()), (b"cookie", cookie.encode()), (b"origin", f"http://{HOST}".encode())]

    accepted, _ = await Socket(application, watched[0].lstrip("/"), headers).connect()

    assert accepted is False
