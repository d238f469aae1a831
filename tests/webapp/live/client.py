"""A WebSocket without a server: speaks ASGI to the application (`channels.testing` would need another server)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from asgiref.testing import ApplicationCommunicator


class Socket(ApplicationCommunicator):
    """One connection."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        scope = {
            "type": "websocket",
            "path": f"/{path}",
            "query_string": b"",
            "headers": headers or [],
            "subprotocols": [],
        }
        self.scope: dict[str, Any] = scope
        super().__init__(application, scope)

    async def connect(self, wait_s: float = 5) -> tuple[bool, int | None]:
        """True, or False and the code it was refused with."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(wait_s)
        return answer["type"] == "websocket.accept", answer.get("code")

    async def send_json_to(self, message: dict[str, Any]) -> None:
        await self.send_to(json.dumps(message))

    async def send_to(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def receive_from(self, wait_s: float = 5) -> str:
        """The next message; a close is an error."""
        answer = await self.receive_output(wait_s)
        assert answer["type"] == "websocket.send", answer
        text: str = answer["text"]
        return text

    async def disconnect(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.wait(5), 5)
