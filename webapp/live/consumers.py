"""Sockets: one that follows a run, one that says when something of a project changed.

Routed by :mod:`webapp.live.routing`, behind :mod:`webapp.sockets`, so ``scope["user"]`` is a real person from a
known origin. A client pulls: it has at most two batches that it did not acknowledge, so a slow reader costs one
batch of memory and delays nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Literal
from uuid import UUID

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from webapp.live.hub import Tail, hub, read_head
from webapp.live.rights import CHECK_S, Ticket, may_listen, ticket_of
from webapp.runs.models import Run
from webapp.runs.queries import events_text, read_events, run_json
from webapp.workspaces.models import Project

MAX_MESSAGE = 65_536
CREDIT = 2
BATCH_EVENTS = 500
RATE = 50
"""Messages that a client may send in a second."""
CLOSE_DONE, CLOSE_GONE, CLOSE_FORBIDDEN, CLOSE_BAD = 1000, 4404, 4403, 4400


class Subscribe(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["subscribe"]
    after: int = Field(ge=0, lt=2**62)


class Ack(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["ack"]
    seq: int = Field(ge=0, lt=2**62)


_adapter: TypeAdapter[Subscribe | Ack] = TypeAdapter(Subscribe | Ack)


class Listener(AsyncWebsocketConsumer):
    """What both sockets share: the right to listen, asked again and again, and limits on what a client sends."""

    channel_layer_alias = None  # the hub listens for all sockets: one that has no broker works as well
    ticket: Ticket | None = None
    _watch: asyncio.Task[None] | None = None
    _second = 0
    _count = 0

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Hand a message over. The base class would use a database thread for every acknowledgement."""
        await getattr(self, get_handler_name(message))(message)

    async def admit(self, workspace_id: UUID | None) -> bool:
        """Accept the socket when the person is a member of the workspace; else refuse it as if there were nothing."""
        if workspace_id is None:
            await self.close(CLOSE_GONE)
            return False
        self.ticket = ticket_of(self.scope, workspace_id)
        if not await may_listen(self.ticket):
            await self.close(CLOSE_GONE)
            return False
        await self.accept()
        self._watch = asyncio.create_task(self._watch_rights())
        return True

    async def _watch_rights(self) -> None:
        assert self.ticket is not None
        while True:
            await asyncio.sleep(CHECK_S)
            with contextlib.suppress(Exception):  # a database that is away takes no rights away
                if not await may_listen(self.ticket):
                    await self.say_closed("forbidden", CLOSE_FORBIDDEN)
                    return

    async def say_closed(self, reason: str, code: int) -> None:
        """Say why, and close."""
        with contextlib.suppress(Exception):
            await self.send(json.dumps({"type": "closed", "reason": reason}))
            await self.close(code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        now = int(asyncio.get_running_loop().time())
        self._second, self._count = (now, self._count + 1) if now == self._second else (now, 1)
        if text_data is None or len(text_data) > MAX_MESSAGE or self._count > RATE:
            await self.say_closed("bad_message", CLOSE_BAD)
            return
        try:
            message = _adapter.validate_json(text_data)
        except ValidationError:
            await self.say_closed("bad_message", CLOSE_BAD)
            return
        await self.hear(message)

    async def hear(self, message: Subscribe | Ack) -> None:
        """Take a message that fits."""
        raise NotImplementedError

    async def disconnect(self, code: int) -> None:
        if self._watch is not None:
            self._watch.cancel()


class RunConsumer(Listener):
    """Follows one run: every event once and in order, or an explicit reset."""

    _tail: Tail | None = None
    _pump: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.run_id: UUID = self.scope["url_route"]["kwargs"]["run_id"]
        self._news = asyncio.Event()
        self._unacknowledged: list[int] = []
        await self.admit(await _workspace_of_run(self.run_id))

    async def hear(self, message: Subscribe | Ack) -> None:
        if isinstance(message, Ack):
            self._unacknowledged = [seq for seq in self._unacknowledged if seq > message.seq]
            self._news.set()
            return
        if self._pump is not None:
            self._pump.cancel()
        self._unacknowledged = []
        if self._tail is None:
            self._tail = await hub().watch_run(self.run_id, self._news)
        self._pump = asyncio.create_task(self._send_events(self._tail, message.after))

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        if self._pump is not None:
            self._pump.cancel()
        if self._tail is not None:
            await hub().leave_run(self._tail, self._news)

    async def _send_events(self, tail: Tail, seq: int) -> None:
        try:
            while tail.head is None and tail.exists:
                self._news.clear()
                await self._news.wait()
            if tail.exists and seq > (tail.head or 0):
                seq = await self._check_ahead(tail, seq)
            while tail.exists:
                self._news.clear()
                head = tail.head or 0
                if head > seq and len(self._unacknowledged) < CREDIT:
                    seq = await self._send_batch(tail, seq)
                elif tail.ended and seq >= head and not self._unacknowledged:
                    await self.say_closed("finished", CLOSE_DONE)
                    return
                else:
                    await self._news.wait()
            await self.say_closed("deleted", CLOSE_GONE)
        except asyncio.CancelledError:
            raise
        except Exception:  # the client comes back and asks for what it lacks
            await self.close(1011)

    async def _check_ahead(self, tail: Tail, seq: int) -> int:
        """The client may have read newer events than this process; a number that nobody gave is a gap."""
        state = await read_head(self.run_id)
        return seq if state is not None and seq <= state[0] else await self._reset(tail)

    async def _send_batch(self, tail: Tail, seq: int) -> int:
        piece = tail.after(seq)
        if piece is None:
            # Only up to where the tail is: the next batch is then one that lies in memory.
            rows = [row for row in await _read(self.run_id, seq) if row[0] <= (tail.head or 0)]
            if not rows or rows[0][0] != seq + 1:
                return await self._reset(tail)
            text, last = events_text(rows), int(rows[-1][0])
        else:
            text, last = piece.text, piece.last
        self._unacknowledged.append(last)
        await self.send(f'{{"type":"events","events":{text},"head":{max(tail.head or 0, last)}}}')
        return last

    async def _reset(self, tail: Tail) -> int:
        """There is a gap that cannot be filled: here is the whole state instead."""
        run = await _run_json(self.run_id)
        await self.send(json.dumps({"type": "reset", "run": run, "head": run["head_seq"]}))
        head: int = run["head_seq"]
        return head


class ProjectConsumer(Listener):
    """Says that something of a project changed; what it is now, the API tells."""

    async def connect(self) -> None:
        self.project_id: UUID = self.scope["url_route"]["kwargs"]["project_id"]
        self._joined = False
        if await self.admit(await _workspace_of_project(self.project_id)):
            self._joined = True
            await hub().watch_project(self.project_id, self._tell)

    async def hear(self, message: Subscribe | Ack) -> None:
        await self.say_closed("bad_message", CLOSE_BAD)

    async def disconnect(self, code: int) -> None:
        await super().disconnect(code)
        if self._joined:
            await hub().leave_project(self.project_id, self._tell)

    def _tell(self, message: dict[str, Any]) -> None:
        asyncio.ensure_future(self._send_quietly(json.dumps(message)))

    async def _send_quietly(self, text: str) -> None:
        with contextlib.suppress(Exception):
            await self.send(text)


@database_sync_to_async
def _workspace_of_run(run_id: UUID) -> UUID | None:
    found: UUID | None = Run.objects.filter(pk=run_id).values_list("project__workspace_id", flat=True).first()
    return found


@database_sync_to_async
def _workspace_of_project(project_id: UUID) -> UUID | None:
    found: UUID | None = Project.objects.filter(pk=project_id).values_list("workspace_id", flat=True).first()
    return found


@database_sync_to_async
def _read(run_id: UUID, after: int) -> list[tuple[int, str]]:
    return read_events(run_id, after, BATCH_EVENTS)


@database_sync_to_async
def _run_json(run_id: UUID) -> dict[str, Any]:
    return run_json(run_id)
