"""Pruning in rounds: from a model and its data to a smaller model that trains, saves and loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.artifacts import ModelRef
from engine.compress.prune.goal import Wanted
from engine.compress.prune.outcome import is_slower
from engine.compress.prune.rounds import prune_in_rounds
from engine.errors import CancelledRun, UserError
from engine.learn.fit import fit
from engine.learn.options import TrainingOptions
from engine.runtime.bundle import load_bundle, save_bundle
from engine.runtime.models import open_model, read_spec
from engine.testing import images, trained, untrained
from tests.engine.contexts import Recorder

HALF = Wanted("ratio", 0.5, 2, 24, None, "l1", "layer", 1, streams=True, mended=True)
OPTIONS = TrainingOptions(epochs=2, batch_size=8, learning_rate=0.01)


@pytest.fixture
def ctx(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def model(ctx: Recorder) -> ModelRef:
    return trained(ctx.store, images(ctx.store))


def pruned(ctx: Recorder, model: ModelRef, wanted: Wanted = HALF, **more):
    data = images(ctx.store)
    return prune_in_rounds(model, data, more.pop("validation", data), wanted, OPTIONS, ctx, **more)


def test_each_round_takes_its_part_and_trains(ctx: Recorder, model: ModelRef) -> None:
    found = pruned(ctx, model)
    assert found.layers == {"hidden.0": (8, 4)}
    rounds = [line for line in ctx.lines if line.startswith("Round")]
    assert [line.split(" by ")[0] for line in rounds] == ["Round 1 of 2", "Round 2 of 2"]
    # 8 -> 6 -> 4: the square root of a half twice.
    assert read_spec(found.model).config["hidden"] == [4]
    steps = [step for step, _ in ctx.series("loss")]
    assert steps == sorted(set(steps))
    assert len(steps) == 2 * 2 * 3  # rounds, epochs, batches
    assert ctx.done[0] == ctx.done[1]


def test_the_report_has_both_models_side_by_side(ctx: Recorder, model: ModelRef) -> None:
    report = pruned(ctx, model).report
    assert report["params_before"] == 64 * 8 + 8 + 8 * 3 + 3
    assert report["params_after"] == 64 * 4 + 4 + 4 * 3 + 3
    assert (report["macs_before"], report["macs_after"]) == (64 * 8 + 8 * 3, 64 * 4 + 4 * 3)
    assert report["size_after_bytes"] < report["size_before_bytes"]
    assert report["speed_up"] == pytest.approx(report["before_ms"] / report["after_ms"])
    assert report["drop"] == pytest.approx(report["accuracy_before"] - report["accuracy_after"])
    assert 0 <= report["agreement"] <= 1


def test_a_pruned_model_is_saved_loaded_and_trained_further(ctx: Recorder, model: ModelRef, tmp_path: Path) -> None:
    small = pruned(ctx, model).model
    save_bundle(small, tmp_path / "small.pt")
    again = load_bundle(tmp_path / "small.pt", ctx.store)
    x = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(open_model(again).module(x), open_model(small).module(x))
    ctx.workdir = tmp_path / "further"
    ctx.workdir.mkdir()
    further = fit(again, images(ctx.store), None, OPTIONS, ctx).model
    assert read_spec(further).config["hidden"] == [4]


def test_a_run_that_was_cut_off_goes_on_with_the_round_that_was_not_done(ctx: Recorder, model: ModelRef) -> None:
    whole = pruned(ctx, model).model.digest
    folder = ctx.workdir.parent / "other"
    folder.mkdir()
    other = Recorder(folder)
    other_model = trained(other.store, images(other.store))

    def stop(told: Recorder) -> None:
        if any(line.startswith("Round 2") for line in told.lines):
            raise CancelledRun

    other._stop = stop
    with pytest.raises(CancelledRun):
        pruned(other, other_model)
    other._stop, other.lines = None, []
    assert pruned(other, other_model).model.digest == whole
    assert not any(line.startswith("Round 1") for line in other.lines)


def test_other_settings_do_not_go_on_from_the_rounds_of_these(ctx: Recorder, model: ModelRef) -> None:
    pruned(ctx, model)
    ctx.lines.clear()
    pruned(ctx, model, replace(HALF, remaining=0.6))
    assert any(line.startswith("Round 1") for line in ctx.lines)


def test_a_round_that_loses_too_much_is_taken_back(ctx: Recorder, model: ModelRef) -> None:
    data = images(ctx.store)
    hard = replace(HALF, remaining=0.2, rounds=1, max_drop=0.0)
    good = fit(model, data, None, TrainingOptions(epochs=30, batch_size=8, learning_rate=0.03), ctx).model
    found = prune_in_rounds(good, data, data, replace(hard, mended=False), None, ctx)
    assert found.model.digest == good.digest
    assert found.report["kept_original"] == 1
    assert any("more than 0.0: the model before it is given back" in line for line in ctx.lines)


def test_without_data_set_aside_there_is_no_accuracy_to_report(ctx: Recorder, model: ModelRef) -> None:
    report = pruned(ctx, model, validation=None).report
    assert "agreement" in report
    assert not [name for name in report if "accuracy" in name or "loss" in name]


def test_a_slower_model_is_not_given_back(ctx: Recorder, model: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(modules, *_):
        return {"before": 1.0, "after": 2.0}

    monkeypatch.setattr("engine.compress.prune.outcome.latencies", slow)
    found = pruned(ctx, model)
    assert found.model.digest == model.digest
    assert any("slower on this machine: 2.0 ms instead of 1.0 ms" in line for line in ctx.lines)


def test_slower_means_clearly_slower() -> None:
    assert is_slower({"before_ms": 1.0, "after_ms": 1.2})
    assert not is_slower({"before_ms": 1.0, "after_ms": 1.05})
    assert not is_slower({"before_ms": 0.05, "after_ms": 0.08})  # a clock's noise


def test_the_original_teaches_where_that_is_wanted(ctx: Recorder, model: ModelRef) -> None:
    pruned(ctx, model)
    assert any(line.startswith("The teacher has") for line in ctx.lines)
    ctx.lines.clear()
    pruned(ctx, model, replace(HALF, remaining=0.6), taught=False)
    assert not any(line.startswith("The teacher has") for line in ctx.lines)


def test_nothing_that_can_go_says_what_to_change(ctx: Recorder, model: ModelRef) -> None:
    with pytest.raises(UserError, match="No channel can go: rounded to multiples of 8"):
        pruned(ctx, model, replace(HALF, rounds=1, round_to=8))


def test_a_model_without_weights_is_refused(ctx: Recorder) -> None:
    with pytest.raises(UserError, match="no weights that could be pruned"):
        pruned(ctx, untrained(ctx.store))
