"""Kill a part in the middle of a run: every acknowledged run reaches its end, and its log has no gap and no double."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import redis

from tests.studio import Api, RunningStudio, digits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: 20 steps an epoch: long enough to be killed in the middle.
CHECKPOINT_STEPS = 20
LONG = digits(epochs=15, checkpoint_steps=CHECKPOINT_STEPS)


@pytest.fixture(scope="module")
def tough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    running = RunningStudio(tmp_path_factory.mktemp("tough") / "home")
    running.wait_started()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def api(tough: RunningStudio) -> Iterator[Api]:
    with Api(tough) as person:
        yield person


def document(seed: int) -> dict[str, Any]:
    """Another seed each time, so that nothing comes from the cache."""
    return {**LONG, "seed": seed}


def check_log(api: Api, run_id: str) -> list[dict[str, Any]]:
    events = api.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("run_done") == 1
    return events


def loss_steps(events: list[dict[str, Any]]) -> list[int]:
    """First steps of the pieces of the loss, as they were written."""
    return [e["first_step"] for e in events if e["type"] == "metrics" and (e["block"], e["name"]) == ("train", "loss")]


def test_a_killed_worker_costs_at_most_one_checkpoint(tough: RunningStudio, api: Api) -> None:
    run_id = api.submit(document(1))
    api.wait_step(run_id, step=2 * CHECKPOINT_STEPS)
    tough.children()["worker"].kill()
    run = api.wait(run_id)
    assert run["status"] == "succeeded", run
    events = check_log(api, run_id)
    assert [event["attempt"] for event in events if event["type"] == "attempt_started"] == [1, 2]
    lost_at = next(n for n, event in enumerate(events) if event["type"] == "attempt_lost")
    reached, resumed = max(loss_steps(events[:lost_at])), min(loss_steps(events[lost_at:]))
    assert resumed > 1, "the steps began again"
    assert reached - resumed <= 2 * CHECKPOINT_STEPS  # a piece may hold up to one interval of points
    blocks_done = [event["block"] for event in events if event["type"] == "block_done"]
    assert len(blocks_done) == len(set(blocks_done))


def test_runs_do_not_notice_that_redis_is_wiped_and_redis_and_web_are_killed(tough: RunningStudio, api: Api) -> None:
    running = api.submit(document(2))
    waiting = [api.submit({**digits(epochs=1), "seed": seed}) for seed in (3, 4)]
    api.wait_step(running)
    with redis.Redis(unix_socket_path=str(tough.home.redis_socket)) as client:
        client.flushall()
    tough.children()["redis"].kill()
    tough.children()["web"].kill()
    for run_id in (running, *waiting):
        run = api.wait(run_id)
        assert run["status"] == "succeeded", run
        assert run["attempt"] == 1
        starts = loss_steps(check_log(api, run_id))
        assert starts == sorted(starts)


def test_cancelling_ends_every_process_of_a_run(tough: RunningStudio, api: Api) -> None:
    run_id = api.submit({**digits(epochs=2000), "seed": 7})
    api.wait_step(run_id)
    engines = [process for process in tough.tree() if "engine.run" in " ".join(_command(process))]
    assert engines
    api.call("POST", f"/runs/{run_id}/cancel")
    assert api.wait(run_id, timeout_s=20)["status"] == "cancelled"
    _, alive = psutil.wait_procs(engines, timeout=5)
    assert not alive


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
