"""A home for SDK tests: artifacts and cache are shared by the tests of a module."""

import os

import pytest

from deepseek import local


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """The SDK with a home of its own and without a network."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_HOME", str(home))
        patch.setenv("DEEPSEEK_OFFLINE", "1")
        local.catalog.cache_clear()
        yield home
    local.catalog.cache_clear()


@pytest.fixture
def one_cpu():
    """One CPU for this process: a run has one thread, since threads that wait for each other crawl when it is busy."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    yield
    os.sched_setaffinity(0, cpus)
