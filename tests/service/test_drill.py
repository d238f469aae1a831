"""The drill: save a studio in the middle of its work, bring it back elsewhere, and find everything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.environment import ROOT
from tests.studio import Api, RunningStudio, digits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


@contextmanager
def studio_on(home: Path) -> Iterator[tuple[RunningStudio, Api]]:
    running = RunningStudio(home)
    try:
        running.wait_started()
        with Api(running) as api:
            yield running, api
    finally:
        running.stop()


def deepseek(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "deepseek.cli.app", *arguments],
        cwd=ROOT,
        env={**os.environ, "DEEPSEEK_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_backup_of_a_working_studio_comes_back_whole(tmp_path: Path) -> None:
    archive = str(tmp_path / "studio.tar")
    with studio_on(tmp_path / "first") as (first, api):
        done = api.wait(api.submit(digits(epochs=1)))
        assert done["status"] == "succeeded", done
        model = done["blocks"]["train"]["outputs"]["model"]["digest"]
        going_on = api.submit({**digits(epochs=200), "seed": 9})
        api.wait_step(going_on)
        assert "artifact files" in deepseek("backup", archive, home=first.home.root)
        api.call("POST", f"/runs/{going_on}/cancel")

    deepseek("restore", archive, home=tmp_path / "second")
    with studio_on(tmp_path / "second") as (_, api):
        assert api.run(done["id"])["metrics"] == done["metrics"]
        assert len(api.events(done["id"])) == done["head_seq"]
        manifest = api.call("GET", f"/workspaces/{api.workspace}/artifacts/{model}")
        content = api.client.get(f"/api/v1/workspaces/{api.workspace}/artifacts/{model}/files/weights.safetensors")
        assert len(content.content) == manifest["files"]["weights.safetensors"]["size"]
        api.call("POST", f"/runs/{going_on}/cancel")
        assert api.wait(going_on)["status"] == "cancelled"
        again = api.wait(api.submit(digits(epochs=1)))
        assert again["blocks"]["train"]["state"] == "cached"
