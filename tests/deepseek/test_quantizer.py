"""Day two of the user's guide, on digits: quantise, evaluate, save, load."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepseek import Dataset, DeepSeekError, Model, Quantizer


def test_a_quantised_model_is_smaller_answers_as_before_and_saves(tmp_path: Path) -> None:
    dataset = Dataset.load("digits")
    model = Model.create("convnet")
    model.train(dataset, epochs=3, show=False)
    before = model.evaluate(dataset, show=False)["accuracy"]

    quantizer = Quantizer(model, method="int8")
    small = quantizer.optimize(show=False)
    small.save(tmp_path / "quantized_model.pt")

    assert quantizer.report["shrunk"] > 0.5
    assert quantizer.report["agreement"] > 0.97
    assert quantizer.report["after_ms"] > 0
    again = Model.load(tmp_path / "quantized_model.pt")
    assert again.evaluate(dataset, show=False)["accuracy"] == pytest.approx(before, abs=0.02)
    assert (tmp_path / "quantized_model.pt").stat().st_size < Path(model.save(tmp_path / "model.zip")).stat().st_size


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(DeepSeekError, match="int8"):
        Quantizer(Model.create("convnet"), method="int9")


def test_a_model_of_unknown_data_asks_for_examples(tmp_path: Path) -> None:
    model = Model.create("convnet")
    with pytest.raises(DeepSeekError, match="not known what the model was trained on"):
        Quantizer(model).optimize(show=False)
