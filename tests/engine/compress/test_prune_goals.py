"""Pruning to a goal: which ranking is taken, what a unit costs, and how far it goes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from engine.compress.prune import prune
from engine.compress.prune.method import Pruned, Pruning
from engine.compress.prune.target import cost_of, prune_to, share_of
from engine.compress.recalibrate import recalibrate
from engine.errors import UserError
from engine.models import build
from engine.runtime.onnx_export import Session, to_onnx
from tests.engine.compress.conftest import RESNET, Bench

MLP = {"in_features": 3, "num_classes": 2, "hidden": [4, 3]}


def test_the_ranking_that_changes_the_answers_least_is_taken(bench: Bench) -> None:
    examples = list(zip(bench.images.split(64), bench.labels.split(64), strict=True))

    def error(importance: str) -> tuple[float, str]:
        small = prune(
            bench.module, "resnet18", RESNET, bench.images[:1],
            importance=importance, ratio=0.3, scope="layer", round_to=4, examples=examples,
        )  # fmt: skip
        x = torch.cat([x for x, _ in examples])[:256]
        with torch.no_grad():
            return float((small.module(x) - bench.module(x)).square().mean()), small.importance

    errors = dict(reversed(error(name)) for name in ("l1", "l2", "taylor", "batch_norm"))
    found, taken = error("measured")
    assert len(errors) == 4
    assert taken == min(errors, key=errors.__getitem__)
    assert found == pytest.approx(errors[taken], rel=1e-4)


def test_a_ranking_cannot_be_measured_without_examples() -> None:
    with pytest.raises(UserError, match="can only be measured on examples"):
        prune(build("mlp", MLP), "mlp", MLP, torch.zeros(1, 3), importance="measured")


def test_a_unit_is_also_ranked_by_what_it_costs() -> None:
    config = {"in_features": 10, "num_classes": 2, "hidden": [32, 64]}
    module, x = build("mlp", config).eval(), torch.randn(20, 10)
    pruning = Pruning(module, "mlp", config, x[:1], importance="measured", examples=[x])
    seen: list[Pruning] = []

    def made(ranked: Pruning) -> Pruned:
        seen.append(ranked)
        return ranked.at(0.5, "global", 8)

    pruning.closest(made, cost_of("macs"))
    whole = 10 * 32 + 32 * 64 + 64 * 2
    costs = {"hidden.0": (10 + 64) / whole, "hidden.1": (32 + 2) / whole}
    assert [one.ranked for one in seen] == ["l1", "l1", "l2", "l2"]  # no targets, no normalisation
    for name, cost in costs.items():
        torch.testing.assert_close(seen[1].scores[name], seen[0].scores[name] / cost)


def test_normalisation_is_counted_on_the_inputs_that_are_given_for_it(bench: Bench) -> None:
    shifted = [2 * bench.images[:16] + 1]
    pruning = Pruning(bench.module, "resnet18", RESNET, bench.images[:1], examples=[bench.images[:16]], counted=shifted)
    small = pruning.at(0.3, "global", 1).module
    again = copy.deepcopy(small)
    recalibrate(again, shifted)
    for name, buffer in again.named_buffers():
        torch.testing.assert_close(small.get_buffer(name), buffer)


# Goals, and what comes after


@pytest.mark.parametrize("target", ["size", "macs"])
def test_a_goal_is_reached_and_not_overshot(bench: Bench, target: str) -> None:
    one = bench.images[:1]
    pruning = Pruning(bench.module, "resnet18", RESNET, one)
    small, ratio = prune_to(pruning, share_of(target, bench.module, one), 0.5, "global", 1)
    left = small.params_after / small.params_before if target == "size" else small.macs_after / small.macs_before
    assert 0.42 < left <= 0.5
    assert 0.1 < ratio < 0.7


def test_a_goal_of_latency_is_reached_as_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.compress.prune.target.TIMING_S", 0.1)
    config = {"in_features": 64, "num_classes": 2, "hidden": [2048, 2048]}
    module, one = build("mlp", config).eval(), torch.zeros(1, 64)
    share = share_of("latency", module, one)
    small, _ = prune_to(Pruning(module, "mlp", config, one), share, 0.6, "layer", 8)
    assert share(small) < 0.8  # a busy machine is allowed some noise


def test_a_goal_that_cannot_be_reached_says_what_is_left() -> None:
    config = {"in_features": 200, "num_classes": 200, "hidden": [16]}
    module, one = build("mlp", config), torch.zeros(1, 200)
    with pytest.raises(UserError, match=r"1.0 % cannot be reached: with as few channels .* 50.0 % is left"):
        prune_to(Pruning(module, "mlp", config, one), share_of("macs", module, one), 0.01, "layer", 8)


def test_a_pruned_network_is_exported_and_answers_the_same(bench: Bench) -> None:
    small = prune(bench.module, "resnet18", RESNET, bench.images[:1], ratio=0.3, examples=[bench.calibration]).module
    found = Session(to_onnx(small, bench.images[:2])).run(bench.images.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(found, small(bench.images).numpy(), rtol=1e-3, atol=1e-4)
