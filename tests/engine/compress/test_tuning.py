"""How the training of a pruned network is fitted into the time that there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.compress.search import tuning
from engine.compress.search.tuning import BATCH_SIZE, Tuner
from engine.learn.state import TrainingData
from engine.models import build
from engine.runtime.examples import Examples
from engine.runtime.modelspec import ModelSpec
from engine.spec import Choice
from tests.engine.contexts import Recorder

CONFIG = {"in_features": 4, "num_classes": 2, "hidden": [8]}
EXAMPLES = 5 * BATCH_SIZE


@pytest.fixture
def tuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tuner:
    """Whose steps take a second."""
    monkeypatch.setattr(tuning, "step_seconds", lambda *_: 1.0)
    data = TrainingData(Examples(torch.randn(EXAMPLES, 4)), torch.randint(2, (EXAMPLES,)))
    spec = ModelSpec(architecture="mlp", config=CONFIG, task="classification", input={"kind": "table", "shape": [4]})
    return Tuner(spec, build("mlp", CONFIG), data, 4, Recorder(tmp_path), lambda: None)


@pytest.mark.parametrize(
    ("seconds", "epochs", "steps"), [(None, 4, 20), (1000.0, 4, 20), (20.0, 4, 20), (18.0, 4, 16), (12.0, 3, 12)]
)
def test_the_time_is_used_up_and_the_last_epoch_is_whole(
    tuner: Tuner, seconds: float | None, epochs: int, steps: int
) -> None:
    data, options = tuner._fitting(tuner.teacher, tuner.data, tuner._options(), seconds, tuner.ctx.plan)
    assert options.epochs == epochs
    assert epochs * len(data.examples) // BATCH_SIZE == steps
    assert data.targets is not None
    assert len(data.targets) == len(data.examples)


@pytest.mark.parametrize(("seconds", "steps"), [(None, 20), (1000.0, 20), (10.0, 10), (2.5, 2)])
def test_how_many_steps_a_time_is_long(
    tuner: Tuner, monkeypatch: pytest.MonkeyPatch, seconds: float | None, steps: int
) -> None:
    monkeypatch.setattr(tuning, "choose", lambda *_: Choice())
    assert tuner.steps_in(tuner.teacher, seconds) == steps


@pytest.mark.parametrize(
    ("teacher", "most", "optimizer"),
    [(nn.BatchNorm2d(3), EXAMPLES, "sgd"), (nn.BatchNorm2d(3), EXAMPLES + 1, "adamw"), (nn.Linear(4, 2), 1, "adamw")],
)
def test_sgd_trains_networks_with_batch_normalisation_on_many_examples(
    tuner: Tuner, monkeypatch: pytest.MonkeyPatch, teacher: nn.Module, most: int, optimizer: str
) -> None:
    monkeypatch.setattr(tuning, "MANY", most)
    trains = replace(tuner, teacher=teacher)
    assert trains._long_options().optimizer == optimizer
    assert trains._options().optimizer == "adamw"  # training through the rounding starts from a trained network


@pytest.mark.parametrize("teaches", [True, False])
def test_a_network_that_knows_too_little_does_not_teach(tuner: Tuner, teaches: bool) -> None:
    taught = replace(tuner, teaches=teaches)._taught()
    assert (taught.distillation is not None) == teaches


def test_the_numbers_are_chosen_once_for_all_trainings(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def choose(*arguments: Any) -> Choice:
        asked.append(arguments[-1])  # how many steps it would take
        return Choice(precision="bf16")

    monkeypatch.setattr(tuning, "choose", choose)
    for seconds in (30.0, 10.0):
        plan = tuner._planned(tuner.teacher, tuner.data, seconds)
        assert [choice.precision for choice in plan.choices.values()] == ["bf16"]
    assert asked == [30]
    assert tuner._planned(tuner.teacher, tuner.data, None) is tuner.ctx.plan  # the training itself chooses
