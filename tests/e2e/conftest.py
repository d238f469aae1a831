"""Fixtures of the browser tests: a workspace with one of everything, and pages that look at it.

`world`      the workspace, made once; leave it as it is, or add to it
`open_page`  opens a browser page of a person who is logged in; a script error fails the test
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.world import World
from tests.studio import Api

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.studio import RunningStudio


@pytest.fixture(scope="session")
def world(studio: RunningStudio) -> Iterator[World]:
    """A workspace with finished and failed runs, data, a model, a pipeline with versions."""
    with Api(studio) as api:
        yield World(api)


@pytest.fixture
def open_page(browser: Browser, world: World) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own; options are those of the context."""
    contexts, errors = [], []

    def start(*, log_in: bool = True, console: bool = False, **options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 720}, "locale": "en-GB", **options}
        context = browser.new_context(base_url=world.studio.url, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        if console:
            page.on("console", lambda said: said.type == "error" and errors.append(f"{page.url}: {said.text}"))
        if log_in:
            page.context.add_cookies(
                [
                    {"name": one.name, "value": one.value or "", "url": world.studio.url}
                    for one in world.api.client.cookies.jar
                    if one.name == "session"
                ]
            )
        return page

    yield start
    for context in contexts:
        context.close()
    assert not errors, errors
