"""Wake-ups: "something changed", never what. Losing every one of them costs two seconds, nothing else.

Called after commits by whoever changed a run or a project; heard by :mod:`webapp.live.hub`. Sending happens on a
thread of its own: a slow or dead Redis delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer
from django.db import transaction

log = logging.getLogger(__name__)
SPACING_S = 0.025
"""Two wake-ups for the same thing are at least that far apart; the later one is never dropped."""
QUIET_S = 2.0
"""Pause after a failure."""
SEND_TIMEOUT_S = 2.0
MAX_WAITING = 1_000


def ring_after_commit(run_id: UUID) -> None:
    """Wake those who watch a run, once the transaction is safe."""
    transaction.on_commit(lambda: ring(run_id))


def ring(run_id: UUID) -> None:
    """Wake those who watch a run."""
    _bell.strike(run_group(run_id), {"type": "wake", "run": run_id.hex})


def project_changed(project_id: UUID, what: str, id_: UUID) -> None:
    """Tell the open pages of a project that one of its runs, pipelines, data files or models changed."""
    message = {"type": "changed", "project": project_id.hex, "what": what, "id": id_.hex}
    transaction.on_commit(lambda: _bell.strike(project_group(project_id), message))


def run_group(run_id: UUID) -> str:
    """The channel group of a run."""
    return f"run.{run_id.hex}"


def project_group(project_id: UUID) -> str:
    """The channel group of a project."""
    return f"project.{project_id.hex}"


class Bell:
    """Sends wake-ups from one event loop on one thread; equal ones in a short time become one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[tuple[str, str], dict[str, Any]] = {}
        self._last: dict[tuple[str, str], float] = {}
        self._quiet_until = 0.0
        self._failing = False

    def strike(self, group: str, message: dict[str, Any]) -> None:
        """Send soon; returns at once."""
        key = (group, str(message.get("id", "")))
        with self._lock:
            if key in self._waiting:
                return
            self._waiting[key] = message
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="bell", daemon=True).start()
        self._loop.call_soon_threadsafe(self._schedule, key)

    def _schedule(self, key: tuple[str, str]) -> None:
        assert self._loop is not None
        wait = max(self._last.get(key, 0.0) + SPACING_S, self._quiet_until) - time.monotonic()
        self._loop.call_later(max(wait, 0.0), lambda: asyncio.ensure_future(self._send(key)))

    def _again(self, key: tuple[str, str], message: dict[str, Any]) -> None:
        """Try a message again after the pause, unless too many wait already or a newer one does."""
        with self._lock:
            if key in self._waiting or len(self._waiting) > MAX_WAITING:
                return
            self._waiting[key] = message
        self._schedule(key)

    async def _send(self, key: tuple[str, str]) -> None:
        with self._lock:
            message = self._waiting.pop(key)
        now = time.monotonic()
        if len(self._last) > 10_000:
            self._last = {k: at for k, at in self._last.items() if now - at < SPACING_S}
        self._last[key] = now
        layer = get_channel_layer()
        if layer is None:
            return
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await layer.group_send(key[0], message)
        except Exception as error:  # whatever breaks a bell, the effect is the same: nobody hears it
            self._quiet_until = time.monotonic() + QUIET_S
            if not self._failing:
                log.warning("Wake-ups are not sent, pages look by themselves: %s", str(error) or type(error).__name__)
            self._failing = True
            self._again(key, message)
        else:
            self._failing = False


_bell = Bell()
