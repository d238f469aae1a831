"""A whole studio as its own process group, for tests that drive it from outside.

Used by the fixtures `studio` and `own_studio` of conftest.py.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from deepseek.services.checks import free_port
from deepseek.services.home import Home
from deepseek.services.programs import environment
from tests.environment import ROOT

START_TIMEOUT_S = 90


class RunningStudio:
    """`deepseek up` on a free port and a home of its own."""

    def __init__(self, home: Path, *options: str, **variables: str) -> None:
        self.home = Home(home)
        self.port = int(variables.get("PORT") or free_port())
        self.url = f"http://localhost:{self.port}"
        self.lines: list[str] = []
        self.environment = {
            **os.environ,
            "DEEPSEEK_HOME": str(home),
            "DEEPSEEK_CATALOG": os.environ["DEEPSEEK_CATALOG"],
            "PORT": str(self.port),
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deepseek.cli.app", "up", "--no-browser", *options],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line)

    @property
    def output(self) -> str:
        """What it has printed."""
        return "".join(self.lines)

    def wait_started(self, timeout_s: float = START_TIMEOUT_S) -> str:
        """Wait for the login link and return it."""
        return self.wait_for(r"https?://\S+/link/\S+", timeout_s)

    def wait_for(self, pattern: str, timeout_s: float = 30) -> str:
        """Wait until its output holds the pattern and return what matched."""
        deadline = time.monotonic() + timeout_s
        while (match := re.search(pattern, self.output)) is None:
            if self.process.poll() is not None:
                self._reader.join(5)
                if (match := re.search(pattern, self.output)) is not None:
                    break
                raise AssertionError(f"The studio ended with {self.process.returncode}:\n{self.output}{self.logs()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"No {pattern!r} after {timeout_s} s in:\n{self.output}{self.logs()}")
            time.sleep(0.05)
        return match.group()

    def new_link(self) -> str:
        """Another link that logs in once."""
        answer = subprocess.run(
            [sys.executable, "-m", "django", "sample", f"--base-url={self.url}"],
            env={**environment(self.home), **self.environment, "DJANGO_SETTINGS_MODULE": "webapp.settings"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        match = re.search(r"https?://\S+/link/\S+", answer.stdout)
        assert match, answer.stdout
        return match.group()

    def health(self) -> tuple[int, dict[str, object]]:
        """Status and body of /healthz; (0, {}) when nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def wait_healthy(self, timeout_s: float = 60) -> None:
        """Wait until /healthz answers 200."""
        deadline = time.monotonic() + timeout_s
        while self.health()[0] != 200:
            assert time.monotonic() < deadline, f"not healthy: {self.health()}\n{self.output}{self.logs()}"
            time.sleep(0.1)

    def children(self) -> dict[str, psutil.Process]:
        """The kept processes by their name: redis, web, worker."""
        signs = {"redis": "redis-server", "web": "webapp.asgi", "worker": "webapp.celery"}
        found = {}
        for process in psutil.Process(self.process.pid).children():
            try:
                command = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            found.update({name: process for name, sign in signs.items() if sign in command})
        return found

    def tree(self) -> list[psutil.Process]:
        """Every process of this studio."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def logs(self) -> str:
        """The ends of the logs, for a failing test."""
        texts = [f"\n--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.home.logs.glob("*.log"))]
        return "".join(texts)

    def stop(self, number: signal.Signals = signal.SIGINT, timeout_s: float = 60) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            for process in [*self.tree(), self.process]:
                process.kill()
            raise AssertionError(f"The studio did not stop in {timeout_s} s:\n{self.output}") from None


class Api:
    """A person of this studio who uses the REST API: logged in by a link, in the first project."""

    def __init__(self, studio: RunningStudio) -> None:
        self.studio = studio
        self.client = httpx.Client(base_url=studio.url, follow_redirects=True, timeout=30)
        page = self.client.get(studio.new_link())
        page.raise_for_status()
        match = re.search(r'data-props="([^"]*)"|data-props=\'([^\']*)\'', page.text)
        assert match, page.text[:2000]
        self.props = json.loads(html.unescape(match.group(1) or match.group(2)))
        self.project = str(self.props["project"]["id"])
        self.workspace = str(self.props["workspace"]["id"])

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def call(self, method: str, path: str, **body: Any) -> Any:
        """The answer's JSON; an error of the studio fails the test. Goes on while the web server comes back."""
        headers = {"X-CSRFToken": str(self.props["csrf"]), "Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + 30
        while True:
            try:
                answer = self.client.request(method, f"/api/v1{path}", json=body or None, headers=headers)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                continue
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer.json() if answer.content else None

    def submit(self, document: Mapping[str, Any]) -> str:
        """Submit a run; returns its id."""
        return str(self.call("POST", f"/projects/{self.project}/runs", document=document)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """The run as it is now."""
        return dict(self.call("GET", f"/runs/{run_id}"))

    def wait(self, run_id: str, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until the run has ended."""
        deadline = time.monotonic() + timeout_s
        while (run := self.run(run_id))["status"] not in ("succeeded", "failed", "cancelled"):
            assert time.monotonic() < deadline, f"{run}\n{self.studio.logs()}"
            time.sleep(0.2)
        return run

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """The whole event log."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.call("GET", f"/runs/{run_id}/events?after={found[-1]['seq'] if found else 0}&limit=1000")
            found += page["items"]
            if not page["items"] or found[-1]["seq"] >= page["head"]:
                return found

    def wait_step(self, run_id: str, block: str = "train", step: int = 1, timeout_s: float = 60) -> None:
        """Wait until a block has written metric points at or past a step."""
        deadline = time.monotonic() + timeout_s
        while True:
            steps = [e["first_step"] + e["count"] for e in self.events(run_id) if is_points(e, f"{block}")]
            if steps and max(steps) > step:
                return
            run = self.run(run_id)
            assert run["status"] in ("queued", "running"), run
            assert time.monotonic() < deadline, f"{run}\n{self.studio.logs()}"
            time.sleep(0.2)


def is_points(event: Mapping[str, Any], block: str) -> bool:
    """True for an event that carries metric points of a block."""
    return event["type"] == "metrics" and event["block"] == block


def digits(epochs: int = 3, **train: Any) -> dict[str, Any]:
    """A pipeline that trains on digits; 3 epochs take some seconds."""
    return {
        "format": "deepseek.pipeline/1",
        "name": "Digits",
        "seed": 0,
        "blocks": {
            "data": {"type": "data.digits", "params": {}},
            "split": {"type": "data.split", "params": {}},
            "model": {"type": "model.convnet", "params": {}},
            "train": {"type": "train.classifier", "params": {"epochs": epochs, **train}},
            "evaluate": {"type": "evaluate.classifier", "params": {}},
        },
        "wires": [
            ["data.dataset", "split.dataset"],
            ["model.model", "train.model"],
            ["split.train", "train.dataset"],
            ["train.model", "evaluate.model"],
            ["split.test", "evaluate.dataset"],
        ],
        "layout": {"positions": {}, "notes": [], "frames": []},
    }
