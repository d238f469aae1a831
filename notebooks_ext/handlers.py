"""The routes of the extension; each needs a logged-in and authorised user of the Jupyter server.

Called by tornado. A call to the studio may take seconds, so it runs in a thread and the server goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from deepseek.client import Studio
from deepseek.errors import DeepSeekError

MOST_RUNS = 100


class StudioHandler(APIHandler):
    """What the routes share: a connection, and errors as JSON."""

    auth_resource = "deepseek"

    def initialize(self, connect: Callable[[], Studio]) -> None:
        """Called by tornado for each request."""
        self._connect = connect

    async def ask(self, question: Callable[[Studio], Any]) -> Any:
        """Put a question to the studio without stopping the server."""

        def call() -> Any:
            with self._connect() as studio:
                return question(studio)

        return await asyncio.to_thread(call)

    def fail(self, status: int, error: DeepSeekError) -> None:
        """Answer with the error's own words."""
        self.set_status(status)
        self.finish(json.dumps({"error": {"message": error.message, "hint": error.hint}}))


class StatusHandler(StudioHandler):
    """``GET /deepseek/status``: which studio, as whom, and whether it answers."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Always 200: a studio that does not answer is an answer, too."""

        def question(studio: Studio) -> dict[str, Any]:
            user = studio.request("GET", "/me")
            return {"studio": studio.url, "is_reachable": True, "user": user.get("name"), "problem": None}

        try:
            status = await self.ask(question)
        except DeepSeekError as error:
            status = {"studio": None, "is_reachable": False, "user": None, "problem": str(error)}
        await self.finish(json.dumps(status))


class RunsHandler(StudioHandler):
    """``GET /deepseek/runs?limit=20``: the newest runs of the project."""

    @authenticated
    @authorized
    async def get(self) -> None:
        """Runs with name, status and metrics, newest first, and the page of each."""
        text = self.get_argument("limit", "20")
        if not text.isdigit() or not 1 <= int(text) <= MOST_RUNS:
            self.fail(400, DeepSeekError(f"limit must lie between 1 and {MOST_RUNS}, it is {text!r}"))
            return

        def question(studio: Studio) -> list[dict[str, Any]]:
            project = studio.project()
            found = studio.request(
                "GET", f"/projects/{project['id']}/runs", params={"limit": int(text), "sort": "-created"}
            )
            return [
                {
                    **{key: run.get(key) for key in ("id", "name", "number", "status", "created", "metrics")},
                    "url": studio.run_url(run),
                }
                for run in found["items"]
            ]

        try:
            runs = await self.ask(question)
        except DeepSeekError as error:
            self.fail(502, error)
            return
        await self.finish(json.dumps({"items": runs}))
