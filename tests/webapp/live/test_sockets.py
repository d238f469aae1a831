"""A socket gets every event once and in order, whatever is lost in between, or says reset."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from django.db import transaction

from tests.webapp.conftest import People
from tests.webapp.live.client import Socket
from tests.webapp.runs_support import make_run
from webapp.live import consumers, rights
from webapp.live import hub as hub_module
from webapp.live.hub import hub
from webapp.live.routing import websocket_urlpatterns
from webapp.queue import workers
from webapp.runs import transitions
from webapp.runs.log import append, entry
from webapp.runs.models import Run
from webapp.supervisor.devices import LocalDevice
from webapp.workspaces.models import Membership

pytestmark = pytest.mark.django_db(transaction=True)


class Watched:
    """A running run, and sockets that watch it."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.run = make_run(people.project)
        worker = workers.register("w", ["cpu"], [LocalDevice("cpu", 0, "CPU", 1)], 1)
        transitions.claim(self.run.id, worker, worker.devices.get())

    def write(self, count: int = 1) -> None:
        """More events, committed; nobody is woken."""
        with transaction.atomic():
            rows = [entry({"type": "checkpoint", "block": "train", "step": i}) for i in range(count)]
            append(self.run.id, 1, rows)

    async def wake(self) -> None:
        """The bell, as the hub hears it."""
        hub()._hear({"type": "wake", "run": self.run.id.hex})

    def socket(self, user: Any = None, path: str = "") -> Socket:
        """A socket of a person, not yet open."""
        path = path or f"ws/runs/{self.run.id.hex}"
        socket = Socket(URLRouter(websocket_urlpatterns), path)
        socket.scope["user"] = user or self.people.viewer
        socket.scope["session"] = None
        return socket


@pytest.fixture
async def watched(people: People) -> AsyncIterator[Watched]:
    rights._known.clear()
    found = await sync_to_async(Watched)(people)
    yield found
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def opened(socket: Socket, after: int = 0) -> Socket:
    connected, _ = await socket.connect(wait_s=5)
    assert connected
    await socket.send_json_to({"type": "subscribe", "after": after})
    return socket


async def batch(socket: Socket, *, ack: bool = True, wait_s: float = 5) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.receive_from(wait_s))
    if ack and message["type"] == "events":
        await socket.send_json_to({"type": "ack", "seq": message["events"][-1]["seq"]})
    return message


async def until(socket: Socket, last: int) -> list[int]:
    """The numbers that arrive, up to one."""
    seen: list[int] = []
    while not seen or seen[-1] < last:
        message = await batch(socket)
        assert message["type"] == "events", message
        seen += [event["seq"] for event in message["events"]]
    return seen


async def test_a_new_socket_gets_everything_from_the_start(watched: Watched) -> None:
    await sync_to_async(watched.write)(1_200)
    socket = await opened(watched.socket())
    assert await until(socket, 1_201) == list(range(1, 1_202))


async def test_new_events_come_at_once_when_the_bell_rings(watched: Watched) -> None:
    socket = await opened(watched.socket(), after=1)
    await asyncio.sleep(0.3)
    await sync_to_async(watched.write)(3)
    await watched.wake()
    message = await batch(socket, wait_s=1)
    assert [event["seq"] for event in message["events"]] == [2, 3, 4]
    assert message["head"] == 4


async def test_when_every_bell_is_lost_events_come_within_the_poll(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "POLL_S", 0.3)
    socket = await opened(watched.socket(), after=1)
    await asyncio.sleep(0.1)
    await sync_to_async(watched.write)(2)
    assert await until(socket, 3) == [2, 3]


async def test_sockets_that_drop_at_any_point_get_every_event_once(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "POLL_S", 0.1)
    monkeypatch.setattr(hub_module, "READ_EVENTS", 7)
    monkeypatch.setattr(consumers, "BATCH_EVENTS", 5)
    monkeypatch.setattr(hub_module, "KEEP_EVENTS", 3)
    total = 301

    async def write_all() -> None:
        written = 1
        while written < total:
            count = min(random.Random(written).randint(1, 9), total - written)
            await sync_to_async(watched.write)(count)
            written += count
            if written % 3:
                await watched.wake()
            await asyncio.sleep(0.005)

    async def watch(number: int) -> list[int]:
        rng = random.Random(number)
        seen: list[int] = []
        while not seen or seen[-1] < total:
            socket = await opened(watched.socket(), after=seen[-1] if seen else 0)
            for _ in range(rng.randint(1, 12)):
                message = await batch(socket, ack=rng.random() < 0.9)
                assert message["type"] == "events", message
                seen += [event["seq"] for event in message["events"]]
                if seen[-1] >= total or len(message["events"]) == 0:
                    break
                if rng.random() < 0.2:
                    break
                await socket.send_json_to({"type": "ack", "seq": seen[-1]})
            await socket.disconnect()
        return seen

    results = await asyncio.gather(write_all(), *(watch(number) for number in range(6)))
    for seen in results[1:]:
        assert seen == list(range(1, total + 1))


async def test_a_reader_that_acknowledges_nothing_gets_two_batches(watched: Watched) -> None:
    await sync_to_async(watched.write)(5_000)
    socket = await opened(watched.socket())
    for _ in range(2):
        await batch(socket, ack=False)
    assert await socket.receive_nothing(timeout=0.5)
    await socket.send_json_to({"type": "ack", "seq": 1_000})
    assert (await batch(socket))["type"] == "events"


async def test_a_number_that_nobody_gave_is_answered_by_a_reset(watched: Watched) -> None:
    socket = await opened(watched.socket(), after=10_000)
    message = await batch(socket)
    assert (message["type"], message["head"]) == ("reset", 1)
    assert message["run"]["id"] == watched.run.id.hex


async def test_a_gap_in_the_log_is_answered_by_a_reset(watched: Watched) -> None:
    await sync_to_async(watched.write)(10)
    await sync_to_async(lambda: watched.run.events.filter(seq__lte=5).delete())()
    socket = await opened(watched.socket(), after=2)
    message = await batch(socket)
    assert (message["type"], message["head"]) == ("reset", 11)


async def test_two_hundred_sockets_cost_one_query_a_round(watched: Watched) -> None:
    sockets = [await opened(watched.socket(), after=1) for _ in range(50)]
    await asyncio.sleep(0.5)
    with mock.patch.object(hub_module, "read_events", wraps=hub_module.read_events) as reads:
        await sync_to_async(watched.write)(2)
        await watched.wake()
        for socket in sockets:
            assert len((await batch(socket))["events"]) == 2
    assert reads.call_count <= 2


async def test_the_socket_of_a_finished_run_says_so(watched: Watched) -> None:
    socket = await opened(watched.socket())
    await sync_to_async(transitions.cancel)(watched.run.id)
    await sync_to_async(transitions.lose)(watched.run.id, 1, "x")
    await watched.wake()
    types = []
    while not types or types[-1] != "run_done":
        types += [event["type"] for event in (await batch(socket))["events"]]
    assert await batch(socket) == {"type": "closed", "reason": "finished"}


async def test_the_socket_of_a_deleted_run_is_closed(watched: Watched) -> None:
    socket = await opened(watched.socket(), after=1)
    await asyncio.sleep(0.2)
    await sync_to_async(lambda: Run.objects.filter(pk=watched.run.pk).delete())()
    await watched.wake()
    assert await batch(socket) == {"type": "closed", "reason": "deleted"}


async def test_strangers_are_refused_before_the_socket_opens(watched: Watched) -> None:
    for path in ("", f"ws/projects/{watched.people.project.id.hex}", f"ws/runs/{'0' * 32}"):
        connected, code = await watched.socket(watched.people.stranger, path).connect(wait_s=5)
        assert (connected, code) == (False, 4404)


@pytest.mark.parametrize("loss", ["membership", "account", "password"])
async def test_who_loses_the_right_loses_the_socket_within_five_seconds(watched: Watched, loss: str) -> None:
    viewer = watched.people.viewer

    def take_away() -> None:
        if loss == "membership":
            Membership.objects.filter(user=viewer).delete()
        elif loss == "account":
            type(viewer).objects.filter(pk=viewer.pk).update(is_active=False)
        else:
            viewer.set_password("another long password")
            viewer.save()

    run_socket = await opened(watched.socket(), after=1)
    project_socket = watched.socket(path=f"ws/projects/{watched.people.project.id.hex}")
    assert (await project_socket.connect(wait_s=5))[0]
    await sync_to_async(take_away)()
    for socket in (run_socket, project_socket):
        assert await batch(socket, wait_s=5) == {"type": "closed", "reason": "forbidden"}


@pytest.mark.parametrize(
    "text",
    [
        "no json", "[]", '{"type":"subscribe"}', '{"type":"subscribe","after":-1}', '{"type":"subscribe","after":"1"}',
        '{"type":"subscribe","after":1,"more":1}', '{"type":"else"}', " " * 70_000,
    ],
)  # fmt: skip
async def test_a_message_that_does_not_fit_closes_the_socket(watched: Watched, text: str) -> None:
    socket = watched.socket()
    await socket.connect(wait_s=5)
    await socket.send_to(text)
    assert await batch(socket) == {"type": "closed", "reason": "bad_message"}


async def test_a_client_that_talks_too_much_is_closed(watched: Watched) -> None:
    socket = await opened(watched.socket(), after=1)
    for _ in range(120):
        await socket.send_json_to({"type": "ack", "seq": 1})
    assert (await batch(socket))["type"] == "closed"


async def test_a_project_socket_hears_what_changed(watched: Watched) -> None:
    socket = watched.socket(path=f"ws/projects/{watched.people.project.id.hex}")
    assert (await socket.connect(wait_s=5))[0]
    await asyncio.sleep(0.1)
    message = {"type": "changed", "project": watched.people.project.id.hex, "what": "runs", "id": watched.run.id.hex}
    hub()._hear(message)
    heard = {"id": ""}
    while not heard["id"]:  # after it joined, the hub first tells everybody to look
        heard = await batch(socket)
    assert heard == {"type": "changed", "what": "runs", "id": watched.run.id.hex}


async def test_the_hub_works_again_after_its_broker_was_away(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RECONNECT_S", 0.05)
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    groups: list[str] = []
    broken = [True, True, False]

    class Layer(SimpleNamespace):
        async def new_channel(self, prefix: str) -> str:
            if broken.pop(0):
                raise ConnectionError("away")
            return "channel"

        async def group_add(self, group: str, channel: str) -> None:
            groups.append(group)

        async def group_discard(self, group: str, channel: str) -> None:
            pass

        async def receive(self, channel: str) -> dict[str, Any]:
            return await heard.get()

    layer = Layer()
    monkeypatch.setattr(hub_module, "get_channel_layer", lambda: layer)
    socket = await opened(watched.socket(), after=1)
    await asyncio.sleep(0.5)
    assert groups == [f"run.{watched.run.id.hex}"]
    await sync_to_async(watched.write)(1)
    await heard.put({"type": "wake", "run": watched.run.id.hex})
    assert await until(socket, 2) == [2]
