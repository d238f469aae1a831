"""Pruning from the SDK, on digits."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepseek import Dataset, DeepSeekError, Model
from deepseek.pruner import Pruner


def test_a_pruned_model_is_half_the_size_about_as_right_and_goes_on(sdk, one_cpu, tmp_path: Path) -> None:
    dataset = Dataset.load("digits")
    model = Model.create("convnet", widths=[32, 64])
    model.train(dataset, epochs=8, show=False)
    before = model.evaluate(dataset, show=False)["accuracy"]

    pruner = Pruner(model, target="size", remaining=0.5, epochs=2)
    small = pruner.optimize(show=False)
    small.save(tmp_path / "small.zip")

    report = pruner.report
    assert report["params_after"] <= 0.5 * report["params_before"]
    assert report["accuracy_before"] > 0.9
    assert report["drop"] < 0.05
    again = Model.load(tmp_path / "small.zip")
    assert again.evaluate(dataset, show=False)["accuracy"] > before - 0.05
    again.train(dataset, epochs=1, show=False)
    assert again.evaluate(dataset, show=False)["accuracy"] > before - 0.05


def test_a_misspelt_setting_is_named(sdk) -> None:
    with pytest.raises(DeepSeekError, match="ratio"):
        Pruner(Model.create("convnet"), ration=0.3)


def test_a_model_of_unknown_data_asks_for_examples(sdk) -> None:
    with pytest.raises(DeepSeekError, match="not known what the model was trained on"):
        Pruner(Model.create("convnet")).optimize(show=False)
