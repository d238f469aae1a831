"""Two real workers form one job: a run on two machines, which here are two worker processes of this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.environment import ROOT
from tests.studio import Api, RunningStudio, digits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def on_two_machines(**params: Any) -> dict[str, Any]:
    document = digits(epochs=4)
    document["blocks"]["train"]["params"] |= {"nodes": 2, "checkpoint_steps": 10, **params}
    return document


def test_two_workers_train_one_network_together(
    own_studio: Callable[..., RunningStudio],
) -> None:
    studio = own_studio(DEEPSEEK_NODE_ADDRESS="127.0.0.1", DEEPSEEK_CPU_SLOTS="1")
    studio.wait_started()
    with Api(studio) as api:
        alone = api.wait(api.submit(digits(epochs=4)))
        run = api.submit(on_two_machines())
        assert api.run(run)["status"] == "queued"
        second = subprocess.Popen(
            [sys.executable, "-m", "deepseek.cli.app", "worker", "--queue", "cpu", "--name", "second"],
            cwd=ROOT,
            env=studio.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            done = api.wait(run, 200)
            assert done["status"] == "succeeded", done
            # the same batches, shared by two: the same result up to rounding
            name = "evaluate.accuracy"
            assert done["metrics"][name] == pytest.approx(alone["metrics"][name], abs=0.02)
            metrics = {e["name"] for e in api.events(run) if e["type"] == "metrics" and e["block"] == "train"}
            assert {"rank_0_step_ms", "rank_1_step_ms"} <= metrics
        finally:
            for process in psutil.Process(second.pid).children(recursive=True):
                process.terminate()
            second.terminate()
            second.wait(30)
