"""The extension in a real Jupyter server, in front of a small studio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from deepseek.services.checks import free_port

KEY = "dsk_of_the_test"
RUN = {"id": "ab12", "name": "first", "number": 1, "status": "succeeded", "created": "2026-01-01T00:00:00Z"}
ANSWERS = {
    "/api/v1/me": {"id": "1", "name": "Ada"},
    "/api/v1/workspaces": {"items": [{"id": "w1", "name": "Home"}], "total": 1},
    "/api/v1/workspaces/w1/projects": {"items": [{"id": "p1", "name": "Digits", "workspace": "w1"}], "total": 1},
    "/api/v1/projects/p1": {"id": "p1", "name": "Digits", "workspace": {"id": "w1", "name": "Home"}},
    "/api/v1/projects/p1/runs": {
        "items": [{**RUN, "project": "p1", "metrics": {"evaluate.accuracy": 0.98}}],
        "total": 1,
    },
}


class SmallStudio(BaseHTTPRequestHandler):
    """Answers the few calls of the extension, with the right key only."""

    def do_GET(self) -> None:
        is_known = self.headers.get("Authorization") == f"Bearer {KEY}"
        answer = ANSWERS.get(self.path.partition("?")[0])
        status = 401 if not is_known else 200 if answer else 404
        body = json.dumps(answer if status == 200 else {"error": {"message": "No", "kind": "user"}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def studio_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SmallStudio)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def jupyter(studio_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Jupyter server with the extension; the client holds its token."""
    folder: Path = tmp_path_factory.mktemp("jupyter")
    port = free_port()
    places = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    environment = {**os.environ, **places, "DEEPSEEK_STUDIO_URL": studio_url, "DEEPSEEK_API_KEY": KEY}
    options = ["--no-browser", "--allow-root", f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder}"]
    options += ["--IdentityProvider.token=token-of-the-test", "--ServerApp.jpserver_extensions=notebooks_ext=True"]
    log = folder / "log.txt"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options], env=environment, stdout=stream, stderr=stream
        )
    headers = {"Authorization": "token token-of-the-test"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20) as client:
        deadline = time.monotonic() + 30
        while True:
            try:
                client.get("/api")
                break
            except httpx.TransportError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield client
    server.terminate()
    server.wait(20)


def test_the_status_says_which_studio_and_as_whom(jupyter: httpx.Client, studio_url: str) -> None:
    answer = jupyter.get("/deepseek/status")
    assert answer.json() == {"studio": studio_url, "is_reachable": True, "user": "Ada", "problem": None}


def test_the_newest_runs_are_listed_with_their_page(jupyter: httpx.Client, studio_url: str) -> None:
    (run,) = jupyter.get("/deepseek/runs", params={"limit": 5}).json()["items"]
    assert run["name"] == "first"
    assert run["metrics"] == {"evaluate.accuracy": 0.98}
    assert run["url"].startswith(studio_url)


def test_a_limit_out_of_range_is_refused(jupyter: httpx.Client) -> None:
    answer = jupyter.get("/deepseek/runs", params={"limit": 0})
    assert answer.status_code == 400
    assert "between 1 and 100" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/deepseek/status", "/deepseek/runs"])
def test_nothing_answers_without_a_token(jupyter: httpx.Client, path: str) -> None:
    answer = httpx.get(f"{jupyter.base_url}{path}", timeout=10)
    assert answer.status_code in (302, 401, 403)
    assert "Ada" not in answer.text


def test_the_key_never_leaves_the_server(jupyter: httpx.Client) -> None:
    assert all(KEY not in jupyter.get(path).text for path in ("/deepseek/status", "/deepseek/runs"))
