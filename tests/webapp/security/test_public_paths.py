"""Nothing but the short list answers without credentials: a walk over the live URL table and every socket."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.webapp.live.client import Socket
from tests.webapp.support import HOST, Caller
from webapp.accounts.secrets import create_key
from webapp.public import PUBLIC, is_public

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ID = "0123456789abcdef0123456789abcdef"
TOKEN = "T" * 43
# Every line was reviewed: what it answers without a login, and that no data of anybody is in the answer.
REVIEWED = {
    "/healthz",
    "/login",
    f"/link/{TOKEN}",
    f"/invite/{TOKEN}",
    "/language",
}


def every_path(patterns: list[Any] | None = None, prefix: str = "/") -> Iterator[str]:
    """An example path of every route that the server knows."""
    for entry in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from every_path(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield example_of(route)


def example_of(route: str) -> str:
    route = re.sub(r"<hexid:\w+>", ID, route)
    route = route.replace("<str:token>", TOKEN).replace("<path:name>", "metrics.json")
    return re.sub(r"<[^>]+>", "x", route)


def test_the_walk_sees_pages_and_the_whole_api() -> None:
    paths = set(every_path())

    assert len(paths) > 60
    assert {"/", f"/p/{ID}/runs", f"/api/v1/pipelines/{ID}/operations", "/api/v1/openapi.json"} <= paths


@pytest.mark.django_db
@pytest.mark.parametrize("credential", ["none", "wrong key", "foreign scheme", "wrong session"])
def test_no_route_answers_without_credentials(credential: str) -> None:
    client = Client(HTTP_HOST=HOST)
    headers = {}
    if credential == "wrong key":
        headers = {"Authorization": f"Bearer dsk_00000000_{TOKEN}"}
    elif credential == "foreign scheme":
        headers = {"Authorization": "Basic bWU6bWU="}
    elif credential == "wrong session":
        client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32

    for path, method in itertools.product(every_path(), METHODS):
        if path in REVIEWED:
            continue
        answer = client.generic(method, path, content_type="application/json", headers=headers)
        allowed = {401} if path.startswith("/api/") else {302, 401}
        assert answer.status_code in allowed, (method, path, answer.status_code)
        if answer.status_code == 302:
            assert answer["Location"].startswith("/login?next="), path


@pytest.mark.django_db
def test_a_key_opens_the_api_but_no_page(people: Any) -> None:
    _, key = create_key(people.owner, "test")
    headers = {"Authorization": f"Bearer {key}"}
    client = Client(HTTP_HOST=HOST)

    assert client.get("/api/v1/me", headers=headers).status_code == 200
    assert client.get("/account", headers=headers).status_code == 302


@pytest.mark.django_db
def test_a_valid_session_does_not_save_a_wrong_key(people: Any) -> None:
    caller = Caller(people.owner, key=f"dsk_00000000_{TOKEN}")

    assert caller("GET", "/me")[0] == 401


def test_the_public_list_is_the_reviewed_one() -> None:
    public = {path for path in every_path() if is_public(path)}

    assert public == REVIEWED
    assert len(PUBLIC) <= 10


@pytest.mark.parametrize(
    "path",
    [
        "/login/",
        "/login/../api/v1/me",
        "/loginx",
        "//login",
        "/healthz/x",
        "/api/v1/me?x=/login",
        "/link/",
        "/link/short",
        f"/link/{TOKEN}/..",
        f"/link/{TOKEN}\n",
        "/STATIC/x",
    ],
)
def test_paths_that_only_look_public_are_not(path: str) -> None:
    assert not is_public(path.partition("?")[0])


@pytest.mark.django_db
def test_unknown_paths_say_nothing_to_strangers() -> None:
    client = Client(HTTP_HOST=HOST)

    assert client.get("/api/v1/nothing").status_code == 401
    assert client.get("/api/v1/").status_code == 401
    assert client.get("/nothing").status_code == 302


@pytest.mark.django_db
def test_static_files_never_leave_their_folder() -> None:
    client = Client(HTTP_HOST=HOST)

    for path in ("/static/../manage.py", "/static/%2e%2e/manage.py", "/static//etc/passwd", "/static/shell"):
        answer = client.get(path)
        assert answer.status_code == 404, path


@pytest.mark.django_db
def test_the_server_answers_only_to_its_names(people: Any) -> None:
    client = Client(HTTP_HOST="evil.example")
    client.force_login(people.owner)

    answer = client.get("/api/v1/me")

    assert answer.status_code == 400
    assert json.loads(answer.content)["error"]["message"] == "The request cannot be read"


def socket_paths() -> list[str]:
    from webapp.live.routing import websocket_urlpatterns

    return ["/" + example_of(str(route.pattern)) for route in websocket_urlpatterns]


def test_the_walk_sees_the_sockets() -> None:
    assert f"/ws/runs/{ID}" in socket_paths()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [*socket_paths(), "/ws/unknown", "/", "/api/v1/me"])
async def test_no_socket_is_accepted_without_a_session(path: str) -> None:
    from webapp.asgi import application

    headers = [(b"origin", b"http://localhost:8000"), (b"host", b"localhost:8000")]
    socket = Socket(application, path.lstrip("/"), headers)

    accepted, code = await socket.connect()

    assert (accepted, code) == (False, 4403)
