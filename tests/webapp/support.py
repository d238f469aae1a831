"""Asks the server as a browser or a program does."""

from __future__ import annotations

import json
from typing import Any

from django.http.response import HttpResponseBase
from django.test import Client

from webapp.artifacts import store
from webapp.artifacts.models import Artifact

HOST = "localhost"
EMPTY = {"format": "deepseek.pipeline/1", "name": "Empty", "seed": 0, "blocks": {}, "wires": [], "layout": {}}
DIGITS: dict[str, Any] = {
    **EMPTY,
    "name": "Digits",
    "blocks": {"data": {"type": "data.digits", "params": {}}, "split": {"type": "data.split", "params": {}}},
    "wires": [["data.dataset", "split.dataset"]],
}


class Caller:
    """Somebody who calls the API: with a session, with a key, or as nobody."""

    def __init__(self, user: Any = None, *, key: str = "", checks_csrf: bool = False) -> None:
        self.client = Client(enforce_csrf_checks=checks_csrf, HTTP_HOST=HOST)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        if user is not None:
            self.client.force_login(user)

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json", **headers: str
    ) -> HttpResponseBase:
        """The raw answer; ``path`` is below ``/api/v1`` unless it is a page."""
        url = path if path.startswith(("/api", "/w/", "/p/")) else f"/api/v1{path}"
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method, url, data, content_type=content_type if data else "", headers={**self.headers, **headers}
        )

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        answer = self.ask(method, path, body, **headers)
        content = b"".join(answer) if answer.streaming else answer.content
        return answer.status_code, json.loads(content) if content else None

    def upload(self, path: str, name: str, content: bytes, **fields: str) -> tuple[int, Any]:
        """Send a file as a form does."""
        from django.core.files.uploadedfile import SimpleUploadedFile

        answer = self.client.post(
            f"/api/v1{path}", {"file": SimpleUploadedFile(name, content), **fields}, headers=self.headers
        )
        return answer.status_code, json.loads(answer.content)


def make_artifact(workspace: Any, tmp_path: Any, kind: str = "file", **files: bytes) -> Artifact:
    """An artifact with these files, owned by the workspace."""
    paths = {}
    for name, content in files.items():
        paths[name.replace("__", ".")] = tmp_path / name
        paths[name.replace("__", ".")].write_bytes(content)
    return store.put(workspace.pk, kind, paths, {"filename": "a file.csv"} if kind == "file" else {})
