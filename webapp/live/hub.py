"""One listener for wake-ups and one tail per watched run, for all sockets of this web process.

Called by the consumers. A tail reads new events from the database when a wake-up comes, and every two seconds anyway;
it keeps the newest in memory, so 200 watchers of a run cost one query, and one encoding of each batch. Whoever is
further behind than that memory reads from the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from webapp.live.bell import project_group, run_group
from webapp.runs.models import ENDED, Run
from webapp.runs.queries import events_text, read_events

log = logging.getLogger(__name__)
POLL_S = 2.0
SPACING_PER_WATCHER_S = 0.0005
MAX_SPACING_S = 0.25
KEEP_EVENTS = 4_000
KEEP_BYTES = 4 * 2**20
READ_EVENTS = 1_000
RECONNECT_S = 1.0
JOIN_TIMEOUT_S = 2.0
KINDS = ("runs", "pipelines", "data", "models")

Rows = list[tuple[int, str]]


@dataclass(frozen=True)
class Piece:
    """Some events in a row, encoded once for everybody."""

    after: int
    """The number before the first."""
    last: int
    text: str


@dataclass(eq=False)
class Tail:
    """The newest events of one run."""

    run_id: UUID
    pieces: deque[Piece] = field(default_factory=deque)
    head: int | None = None
    exists: bool = True
    ended: bool = False
    """Nothing will come after ``head``."""
    watchers: set[asyncio.Event] = field(default_factory=set)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    _bytes: int = 0

    def after(self, seq: int) -> Piece | None:
        """What comes after a number, when it is in memory."""
        for piece in self.pieces:
            if piece.after == seq:
                return piece
            if piece.after > seq:
                break
        return None

    def add(self, rows: Rows) -> None:
        """Keep new events, and let the oldest go."""
        first, last = rows[0][0], rows[-1][0]
        piece = Piece(first - 1, last, events_text(rows))
        self.pieces.append(piece)
        self._bytes += len(piece.text)
        while len(self.pieces) > KEEP_EVENTS or self._bytes > KEEP_BYTES:
            self._bytes -= len(self.pieces.popleft().text)
        self.head = last

    def wake_watchers(self) -> None:
        """Let every socket look."""
        for watcher in self.watchers:
            watcher.set()

    async def follow(self) -> None:
        """Read what is new, again and again."""
        while True:
            try:
                await self._read()
            except Exception as error:  # a tail outlives its database
                log.warning("Run %s cannot be read, its watchers wait: %s", self.run_id.hex, error)
            # Many watchers get fewer, larger batches: each costs a message and its acknowledgement for every one.
            await asyncio.sleep(min(len(self.watchers) * SPACING_PER_WATCHER_S, MAX_SPACING_S))
            # Not wait_for: in Python 3.11 it can swallow a cancellation, and the tail would go on for ever.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self.bell.wait()
            self.bell.clear()

    async def _read(self) -> None:
        state = await read_head(self.run_id)
        if state is None:
            self.exists = False
            self.wake_watchers()
            return
        head, ended = state
        if self.head is None:
            self.head = head
        while self.head < head:
            self.add(await _rows(self.run_id, self.head))
            self.wake_watchers()
        self.ended = ended
        self.wake_watchers()


class Hub:
    """All tails and the listener of one event loop."""

    def __init__(self) -> None:
        self._tails: dict[UUID, Tail] = {}
        self._projects: dict[UUID, set[Callable[[dict[str, Any]], None]]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._channel: str | None = None
        self._order = asyncio.Lock()

    async def watch_run(self, run_id: UUID, watcher: asyncio.Event) -> Tail:
        """The tail of a run; the event is set when it has something new."""
        tail = self._tails.get(run_id)
        if tail is None:
            tail = self._tails[run_id] = Tail(run_id)
            tail.watchers.add(watcher)
            await self._join(run_group(run_id))  # before the first read: no wake-up falls between
            tail.task = asyncio.create_task(tail.follow())
        tail.watchers.add(watcher)
        return tail

    async def leave_run(self, tail: Tail, watcher: asyncio.Event) -> None:
        """One socket less; the last one ends the tail."""
        tail.watchers.discard(watcher)
        if not tail.watchers and self._tails.get(tail.run_id) is tail:
            del self._tails[tail.run_id]
            if tail.task is not None:
                tail.task.cancel()
            await self._leave(run_group(tail.run_id))

    async def watch_project(self, project_id: UUID, tell: Callable[[dict[str, Any]], None]) -> None:
        """Call ``tell`` with every change of a project."""
        new = project_id not in self._projects
        self._projects.setdefault(project_id, set()).add(tell)
        if new:
            await self._join(project_group(project_id))

    async def leave_project(self, project_id: UUID, tell: Callable[[dict[str, Any]], None]) -> None:
        """Do not call it any more."""
        rest = self._projects.get(project_id, set())
        rest.discard(tell)
        if not rest and self._projects.pop(project_id, None) is not None:
            await self._leave(project_group(project_id))

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "wake":
            tail = self._tails.get(UUID(hex=message["run"]))
            if tail is not None:
                tail.bell.set()
        elif message["type"] == "changed":
            for tell in list(self._projects.get(UUID(hex=message["project"]), ())):
                tell({"type": "changed", "what": message["what"], "id": message["id"]})

    async def _listen(self) -> None:
        """Hear wake-ups; after a failure begin again with a new channel, since the old one may be lost."""
        layer = get_channel_layer()
        failing = False
        while True:
            try:
                self._channel = await layer.new_channel("hub")
                for group in self._groups():
                    await layer.group_add(group, self._channel)
                self._catch_up()
                failing = False
                while True:
                    self._hear(await layer.receive(self._channel))
            except Exception as error:  # whatever fails: sockets poll until it works again
                if not failing:
                    log.warning("Wake-ups are not heard, sockets look every %.0f s: %s", POLL_S, error)
                failing = True
                self._channel = None
                await asyncio.sleep(RECONNECT_S)

    def _catch_up(self) -> None:
        """Wake-ups may have been missed: let everybody look."""
        for tail in self._tails.values():
            tail.bell.set()
        for tells in self._projects.values():
            for tell in list(tells):
                for kind in KINDS:
                    tell({"type": "changed", "what": kind, "id": ""})

    def _groups(self) -> list[str]:
        return [run_group(run_id) for run_id in self._tails] + [project_group(pk) for pk in self._projects]

    async def _join(self, group: str) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        async with self._order:
            if self._channel is not None:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(JOIN_TIMEOUT_S):
                        await get_channel_layer().group_add(group, self._channel)

    async def _leave(self, group: str) -> None:
        async with self._order:  # a leave never overtakes the join of whoever came meanwhile
            if self._channel is not None and group not in self._groups():
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(JOIN_TIMEOUT_S):
                        await get_channel_layer().group_discard(group, self._channel)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        for old in [known for known in _hubs if known.is_closed()]:
            del _hubs[old]
        _hubs[loop] = Hub()
    return _hubs[loop]


@database_sync_to_async
def read_head(run_id: UUID) -> tuple[int, bool] | None:
    """The number of the newest event, and whether it is the last; None when there is no such run."""
    row = Run.objects.filter(pk=run_id).values_list("head", "status").first()
    return None if row is None else (row[0], row[1] in ENDED)


@database_sync_to_async
def _rows(run_id: UUID, after: int) -> Rows:
    return read_events(run_id, after, READ_EVENTS)
