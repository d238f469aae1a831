"""Real processes on this machine that train together over gloo: equal to one, killed, hung, and resumed."""

import json
import threading
import time

import pytest
import torch
from safetensors.torch import load_file

from engine.compute.world import ALONE
from engine.distributed.launch import Job, launch
from engine.errors import CancelledRun, UserError
from tests.engine.contexts import Recorder
from tests.engine.distributed import training

TRAINING = "tests.engine.distributed.training"
PROGRAMS = "tests.engine.distributed.programs"


def alone(folder, **arguments):
    """Train in this process; returns context, result and weights."""
    folder.mkdir()
    ctx = Recorder(folder)
    result = training.main(arguments, ctx, ALONE)
    return ctx, result, load_file(ctx.workdir / "weights.safetensors")


def together(folder, processes, stop=None, hang_s=25.0, **arguments):
    """Train on ranks; returns context, result and weights."""
    folder.mkdir(exist_ok=True)
    ctx = Recorder(folder, stop=stop)
    result = launch(Job(TRAINING, arguments, processes, hang_s=hang_s), ctx)
    return ctx, result, load_file(ctx.workdir / "weights.safetensors")


def assert_close(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-5, atol=2e-6)


def assert_same_run(folder, processes, **arguments):
    one_ctx, one, one_weights = alone(folder / "one", **arguments)
    ctx, result, weights = together(folder / "many", processes, **arguments)
    assert result["size"] == processes
    assert_close(weights, one_weights)
    assert [step for step, _ in ctx.series("loss")] == [step for step, _ in one_ctx.series("loss")]
    for (_, ours), (_, theirs) in zip(ctx.series("loss"), one_ctx.series("loss"), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert result["metrics"] == pytest.approx(one["metrics"], abs=1e-5)


def test_two_processes_train_what_one_trains(tmp_path):
    assert_same_run(tmp_path, 2, options={"epochs": 2, "accumulation": 2, "gradient_clip": 0.5})


def test_a_killed_rank_is_named_and_the_training_ends_as_if_nothing_had_happened(tmp_path):
    arguments = {"every": 4, "options": {"epochs": 2}}
    _, _, undisturbed = alone(tmp_path / "one", **arguments)
    started = time.monotonic()
    # rank 0 is busy when rank 1 is lost: the agent ends it too, which is not its fault
    deed = {"deed": "SIGKILL", "rank": 1, "at": 10, "busy_s": 1.0}
    ctx, result, weights = together(tmp_path / "many", 2, **arguments, **deed)
    assert time.monotonic() - started < 60
    assert_close(weights, undisturbed)
    (decision,) = ctx.decisions
    assert decision["kind"] == "rank"
    assert decision["evidence"]["rank"] == 1
    assert decision["evidence"]["exit code"] == -9
    assert "was ended by SIGKILL" in decision["said"]
    # step 8 was the last checkpoint: what it redid was not logged twice
    assert any("Going on from step 8" in line for line in ctx.lines)
    assert [step for step, _ in ctx.series("loss")] == list(range(1, int(result["metrics"]["steps"]) + 1))


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "strategy"), [(2, "fsdp"), (4, "ddp"), (4, "fsdp")])
def test_four_processes_and_shards_train_what_one_trains(tmp_path, processes, strategy):
    assert_same_run(tmp_path, processes, options={"strategy": strategy, "averaging": "ema", "patience": 2})


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_lost_rank_leaves_no_trace_in_the_weights(tmp_path, strategy):
    arguments = {"every": 4, "options": {"strategy": strategy}}
    _, _, undisturbed = together(tmp_path / "calm", 2, **arguments)
    _, _, weights = together(tmp_path / "wild", 2, **arguments, deed="SIGKILL", rank=0, at=10)
    for name, tensor in undisturbed.items():
        assert torch.equal(tensor, weights[name])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_batch_that_is_not_finite_on_one_rank_is_left_out_on_all(tmp_path, strategy):
    arguments = {"precision": "adaptive", "poisoned": 5, "options": {"strategy": strategy, "epochs": 4}}
    one_ctx, _, one_weights = alone(tmp_path / "one", **arguments)
    ctx, _, weights = together(tmp_path / "many", 2, **arguments)
    left_out = [(d["step"], d["evidence"]["cause"]) for d in ctx.decisions if "cause" in d["evidence"]]
    assert left_out == [(d["step"], d["evidence"]["cause"]) for d in one_ctx.decisions if "cause" in d["evidence"]]
    assert [cause for _, cause in left_out] == ["data"] * 4  # once in each epoch
    assert_close(weights, one_weights)


@pytest.mark.slow
@pytest.mark.parametrize("deed", ["stop", "sleep"])
def test_a_rank_that_hangs_is_named_with_the_place_where_it_stands(tmp_path, deed):
    ctx = Recorder(tmp_path)
    result = launch(Job(PROGRAMS, {"steps": 10, "deed": deed}, 2, hang_s=3.0), ctx)
    assert result == {"total": 10.0, "size": 2, "start": 4}
    (decision,) = ctx.decisions
    assert decision["evidence"]["rank"] == 1
    assert decision["evidence"]["exit code"] == "hung"
    assert 3 <= decision["evidence"]["silent seconds"] < 10
    words = {"stop": "the process is stopped", "sleep": "programs.py, line"}
    assert words[deed] in decision["said"]


@pytest.mark.slow
def test_shards_of_four_processes_are_read_by_two_and_then_by_one(tmp_path):
    def stops_at(step):
        def stop(ctx):
            if any(now >= step for now in ctx.checkpoints):
                raise CancelledRun

        return stop

    shared = {"checkpoints": str(tmp_path / "shared"), "every": 5}
    options = {"epochs": 40, "strategy": "fsdp", "schedule": "constant"}
    with pytest.raises(CancelledRun):
        together(tmp_path / "four", 4, stop=stops_at(5), options=options, **shared)
    first = newest(tmp_path / "shared")
    assert first["world"] == 4
    with pytest.raises(CancelledRun):
        together(tmp_path / "two", 2, stop=stops_at(first["step"] + 5), options=options, **shared)
    second = newest(tmp_path / "shared")
    assert second["world"] == 2
    assert second["step"] > first["step"]
    ctx, _, weights = alone(tmp_path / "one", options=options, **shared)
    assert f"Going on from step {second['step']}, " in " ".join(ctx.lines)
    _, _, undisturbed = alone(tmp_path / "undisturbed", options=options)
    for name, tensor in undisturbed.items():
        torch.testing.assert_close(weights[name], tensor, rtol=1e-3, atol=1e-3)


def newest(folder):
    return json.loads((folder / (folder / "latest").read_text() / "manifest.json").read_bytes())


@pytest.mark.slow
def test_the_error_of_a_rank_is_the_error_of_the_run_and_nothing_starts_again(tmp_path):
    ctx = Recorder(tmp_path)
    with pytest.raises(UserError, match="The number is wrong") as caught:
        launch(Job(PROGRAMS, {"steps": 10, "deed": "user", "always": True}, 2), ctx)
    assert (caught.value.field, caught.value.hint) == ("epochs", "Mend it.")
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by hand"):
        launch(Job(PROGRAMS, {"steps": 10, "deed": "bug", "always": True}, 2), ctx)
    assert not ctx.decisions


@pytest.mark.slow
def test_a_rank_that_dies_at_the_same_place_again_and_again_ends_the_run_in_words(tmp_path):
    ctx = Recorder(tmp_path)
    with pytest.raises(UserError, match="Rank 1 was lost again and again: its process was ended by SIGKILL") as caught:
        launch(Job(PROGRAMS, {"steps": 10, "deed": "kill", "always": True}, 2), ctx)
    assert "out of memory" in caught.value.hint
    assert len(ctx.decisions) == 4


@pytest.mark.slow
def test_a_cancelled_run_stops_its_ranks_in_the_same_step(tmp_path):
    wanted = threading.Event()
    threading.Timer(5.0, wanted.set).start()

    def stop(ctx):
        if wanted.is_set():
            raise CancelledRun

    ctx = Recorder(tmp_path, stop=stop)
    started = time.monotonic()
    with pytest.raises(CancelledRun):
        launch(Job(PROGRAMS, {"steps": 10_000, "pause_s": 0.01}, 2), ctx)
    assert time.monotonic() - started < 20
