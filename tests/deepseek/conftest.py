"""A home for SDK tests: artifacts and cache are shared by the tests of a module, the catalog by all."""

import pytest

from deepseek import local


@pytest.fixture(scope="session")
def catalog_file(tmp_path_factory):
    """Where the catalog is built once for this process."""
    return tmp_path_factory.mktemp("catalog") / "catalog.json"


@pytest.fixture(scope="module")
def sdk(catalog_file, tmp_path_factory):
    """The SDK with a home of its own, on one CPU thread, without a network."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPSEEK_HOME", str(home))
        patch.setenv("DEEPSEEK_CATALOG", str(catalog_file))
        patch.setenv("DEEPSEEK_OFFLINE", "1")
        local.catalog.cache_clear()
        yield home
    local.catalog.cache_clear()
