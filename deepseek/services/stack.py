"""Start a whole studio in the right order, and take it down again.

Called by ``deepseek up``:

1. Look at the disk, the home folder and the port, before anything is started.
2. Redis, then the database's tables and the catalog of blocks.
3. The web server and the worker; wait until ``/healthz`` says that everything is there.
4. The sample project and a link that logs in once.
5. Keep everything alive until Ctrl-C.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from dataclasses import dataclass

from deepseek.errors import DeepSeekError
from deepseek.services import checks, programs
from deepseek.services.child import Spec
from deepseek.services.home import Home
from deepseek.services.keeper import Keeper, StopAsked
from deepseek.services.redis import answers, find_redis, forget_data
from deepseek.services.steps import call, say, step

#: Importing torch from a cold disk is the slowest part of a first start.
READY_TIMEOUT_S = 120.0
REDIS_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Address:
    """Where the web server listens, and how a browser gets there."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """For a browser on this machine.

        >>> Address("0.0.0.0", 8000).url
        'http://localhost:8000'
        """
        everywhere = self.host in ("0.0.0.0", "::", "127.0.0.1", "::1", "localhost")  # noqa: S104 - compared, not bound
        return f"http://{'localhost' if everywhere else self.host}:{self.port}"


def run(home: Home, address: Address, *, open_browser: bool, with_worker: bool = True) -> int:
    """Start everything and stay until SIGINT or SIGTERM; returns the exit code."""
    keeper = Keeper(say)
    keeper.listen()
    try:
        home.create()
        if warning := checks.check_disk(home.root):
            say(warning)
        with home.locked(address.url):
            checks.check_port(address.host, address.port)
            _start(keeper, home, address, with_worker=with_worker)
            _welcome(home, address, open_browser=open_browser)
            keeper.watch()
    except StopAsked as signal_name:
        say(f"\nStopping ({signal_name}) ...")
        return 0
    finally:
        keeper.stop()
        say("Everything is stopped.")
    return 0


def _start(keeper: Keeper, home: Home, address: Address, *, with_worker: bool) -> None:
    variables = programs.environment(home, address.host, address.port)
    say(f"DeepSeek Studio starts in {home.root}")
    if programs.uses_own_redis(os.environ):
        _start_redis(keeper, home, variables)
    with step("Preparing the database"):
        call(programs.django("migrate", "--no-input", "--verbosity=0"), variables, "Preparing the database")
    with step("Reading the catalog of blocks", "10 seconds when it has to be built"):
        call(programs.catalog(), variables, "Building the catalog of blocks")
    if with_worker:
        keeper.start(programs.worker(home, variables, programs.QUEUES))
    keeper.start(programs.web(home, variables, address.host, address.port))
    with step("Starting the web server and the worker", "a few seconds"):
        health = Health(f"http://{_loopback(address.host)}:{address.port}/healthz")
        keeper.wait(lambda: health.ok() or (not with_worker and health.answered), READY_TIMEOUT_S, health.describe)


def _start_redis(keeper: Keeper, home: Home, variables: dict[str, str]) -> None:
    program = find_redis()
    with step(f"Starting Redis {program.version_text}"):
        if not _redis_comes_up(keeper, programs.redis(program, home, variables), home):
            forget_data(home)
            keeper.start(programs.redis(program, home, variables))
            keeper.wait(lambda: answers(home.redis_socket), REDIS_TIMEOUT_S, lambda: "Redis did not answer")


def _redis_comes_up(keeper: Keeper, spec: Spec, home: Home) -> bool:
    """False when it ended: most likely over a file that a full disk cut short."""
    child = keeper.start(spec)
    deadline = time.monotonic() + REDIS_TIMEOUT_S
    while not answers(home.redis_socket):
        if child.exit_code() is not None:
            return False
        if time.monotonic() > deadline:
            raise DeepSeekError(f"Redis did not answer after {REDIS_TIMEOUT_S:.0f} s", hint=f"Its log: {spec.log}")
        time.sleep(0.02)
    return True


class Health:
    """Asks ``/healthz`` and remembers what it said."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = False
        self._missing: list[str] = []

    def ok(self) -> bool:
        """True when every part is there."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310 - our own http address
                self.answered = True
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            self.answered = True
            self._missing = json.load(error).get("missing", [])
            return False
        except OSError:
            return False

    def describe(self) -> str:
        """What is missing, in words."""
        return f"Not ready ({', '.join(self._missing)})" if self._missing else "The web server does not answer"


def _welcome(home: Home, address: Address, *, open_browser: bool) -> None:
    variables = programs.environment(home, address.host, address.port)
    with step("Preparing the sample project"):
        output = call(programs.django("sample", f"--base-url={address.url}"), variables, "Preparing the sample project")
    match = re.search(r"https?://\S+", output)
    if match is None:
        raise DeepSeekError(f"No login link came out of the sample project: {output!r}")
    say(f"\n  Open {match.group()}\n  The link logs in once. Ctrl-C stops the studio.\n")
    if open_browser and _has_screen():
        webbrowser.open(match.group())


def _loopback(host: str) -> str:
    # S104: compared, not bound
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104


def _has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
