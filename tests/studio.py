"""A whole studio as its own process group, for tests that drive it from outside.

Used by the fixtures `studio` and `own_studio` of conftest.py.
"""

from __future__ import annotations

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
from pathlib import Path

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
        self.port = free_port()
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
            env={**environment(self.home), "DEEPSEEK_HOME": str(self.home.root), "PORT": str(self.port)},
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
            command = " ".join(process.cmdline())
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
