"""What a fresh interpreter has loaded after importing one of our entrances."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Entrance -> what must not come with it.
ENTRANCES = {
    "webapp.asgi": {"torch", "numpy", "pandas", "sklearn", "deepseek", "notebooks_ext"},
    "webapp.celery": {"torch", "pandas", "sklearn"},
    "deepseek": {"torch", "numpy", "pandas", "django", "celery", "httpx", "pydantic", "rich"},
    "deepseek.cli.app": {"torch", "numpy", "pandas", "django", "celery"},
    "deepseek.client": {"torch", "numpy", "pandas", "django", "celery"},
    "deepseek.services.stack": {"torch", "numpy", "django", "celery"},
    "notebooks_ext": {"torch", "django", "celery", "engine", "webapp"},
    "engine.api": {"torch", "django", "celery", "redis", "tornado", "webapp", "deepseek"},
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_an_entrance_loads_nothing_heavy(entrance: str) -> None:
    prepare = "import django; django.setup(); " if entrance.startswith("webapp") else ""
    code = f"{prepare}import {entrance}, sys; print(' '.join(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    loaded = {name.partition(".")[0] for name in answer.stdout.split()}
    assert not loaded & ENTRANCES[entrance]
