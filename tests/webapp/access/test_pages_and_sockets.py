"""Pages and sockets against people who may not see them: the live URL table, walked."""

from __future__ import annotations

import re

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.webapp.access.world import World
from tests.webapp.live.client import Socket
from webapp.public import PUBLIC

GROUP = re.compile(r"<(?:\w+:)?(\w+)>")
# Everything that may answer without credentials. A longer list needs a reviewer, here and in webapp/public.py.
OPEN = {"healthz", "login", "link/<str:token>", "invite/<str:token>", "language"}


def live_routes(resolver: URLResolver, prefix: str = "") -> list[str]:
    found = []
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += live_routes(entry, route)
        elif isinstance(entry, URLPattern):
            found.append(route)
    return found


ROUTES = live_routes(get_resolver())
PAGES = [r for r in ROUTES if not r.startswith("api/") and r not in OPEN and r != "logout"]


@pytest.fixture
def world(people, tmp_path):
    return World(people, tmp_path)


def address(route: str, world: World) -> str:
    return "/" + GROUP.sub(lambda m: world.places.get(m[1], "0" * 32), route)


def test_the_list_of_what_is_open_is_short_and_this_one():
    assert len(PUBLIC) <= 10
    reachable = {route for route in ROUTES if any(p.fullmatch("/" + GROUP.sub("x" * 40, route)) for p in PUBLIC)}
    assert reachable == OPEN


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_route_answers_without_credentials(method, world):
    client = Client()
    for route in ROUTES:
        if route in OPEN:
            continue
        answer = client.generic(method, address(route, world))
        assert answer.status_code in {401, 403} or (
            answer.status_code == 302 and answer.headers["Location"].startswith("/login")
        ), f"{method} {route} answered {answer.status_code}"


@pytest.mark.parametrize("route", PAGES)
def test_every_page_opens_for_a_member_and_is_unknown_to_a_stranger(route, world, people):
    member, stranger = Client(), Client()
    member.force_login(people.viewer)
    stranger.force_login(people.stranger)
    assert member.get(address(route, world), follow=True).status_code == 200
    if GROUP.search(route):
        assert stranger.get(address(route, world)).status_code == 404


@pytest.mark.parametrize("path", ["/ws/runs/{run_id}", "/ws/projects/{project_id}", "/ws/nothing"])
@pytest.mark.django_db(transaction=True)
async def test_sockets_refuse_whoever_may_not_listen_before_they_open(path, people, world):
    from webapp.asgi import application

    target = world.address(path)
    good = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    assert not await opens(application, target, good), "nobody"
    headers = await session_of(people.stranger)
    assert not await opens(application, target, [*good, headers]), "a stranger"
    member = await session_of(people.viewer)
    foreign = [
        "http://localhost.evil.example",
        "http://evil.example",
        "http://localhost:81",
        "null",
        "HTTP://LOCALHOST",
    ]
    for origin in foreign:
        headers = [(b"host", b"localhost"), (b"origin", origin.encode()), member]
        assert not await opens(application, target, headers), origin
    assert not await opens(application, target, [(b"host", b"localhost"), member]), "no origin"
    assert await opens(application, target, [*good, member]) is (path != "/ws/nothing")


async def opens(application, path, headers) -> bool:
    socket = Socket(application, path.lstrip("/"))
    socket.scope["headers"] = headers
    connected, _ = await socket.connect()
    if connected:
        await socket.disconnect()
    return connected


async def session_of(user) -> tuple[bytes, bytes]:
    client = Client()
    await sync_to_async(client.force_login)(user)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return (b"cookie", cookie.encode())
