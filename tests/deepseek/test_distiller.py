"""A large model teaches a small one, by the SDK."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepseek import Dataset, DeepSeekError, Distiller, Model, Quantizer

pytestmark = pytest.mark.usefixtures("sdk", "one_cpu")


def test_a_student_learns_from_its_teacher_and_is_a_model_like_any_other(tmp_path: Path) -> None:
    dataset = Dataset.load("digits").split(test=0.2, validation=0.1)
    teacher = Model.create("convnet", widths=[32, 32])
    teacher.train(dataset, epochs=3, learning_rate=0.02, show=False)

    distiller = Distiller(teacher, Model.create("convnet", widths=[12, 16]))
    student = distiller.train(dataset, epochs=4, learning_rate=0.02, temperature=2.0, hidden=0.5, show=False)

    assert distiller.report["size_after_bytes"] < 0.4 * distiller.report["size_before_bytes"]
    assert distiller.report["agreement"] > 0.6
    assert distiller.report["accuracy_before"] > 0.8
    assert distiller.training is not None
    assert len(distiller.training.curves["loss"].values) == distiller.training["steps"]
    again = Model.load(student.save(tmp_path / "student.pt"))
    assert again.evaluate(dataset, show=False)["accuracy"] == student.evaluate(dataset, show=False)["accuracy"]


def test_without_data_the_student_learns_from_what_its_teacher_learned_from() -> None:
    dataset = Dataset.load("digits").split(test=0.2, validation=0.1)
    teacher = Model.create("convnet", widths=[8])
    teacher.train(dataset, epochs=1, show=False)
    distiller = Distiller(teacher, Model.create("convnet", widths=[4]))
    distiller.train(epochs=1, show=False)
    assert "accuracy_after" in distiller.report


def test_other_classes_are_named() -> None:
    teacher = Model.create("mlp", hidden=[8])
    teacher.train(Dataset.load("digits"), epochs=1, show=False)
    import numpy as np

    pictures = np.random.default_rng(0).integers(0, 255, (20, 1, 8, 8), dtype=np.uint8)
    others = Dataset.from_arrays(pictures, ["cat", "dog"] * 10)
    with pytest.raises(DeepSeekError, match="only the student learns cat, dog"):
        Distiller(teacher, Model.create("mlp", hidden=[4])).train(others, epochs=1, show=False)


def test_a_teacher_that_learned_nothing_says_so() -> None:
    with pytest.raises(DeepSeekError, match="not trained yet"):
        Distiller(Model.create("mlp"), Model.create("mlp")).train(Dataset.load("digits"), show=False)


def test_a_model_is_trained_in_whole_numbers() -> None:
    dataset = Dataset.load("digits").split(test=0.2, validation=0.1)
    model = Model.create("convnet", widths=[8, 8])
    model.train(dataset, epochs=2, learning_rate=0.02, show=False)
    before = model.evaluate(dataset, show=False)["accuracy"]
    quantizer = Quantizer(model, method="qat", epochs=1)
    small = quantizer.optimize(show=False)
    assert quantizer.report["loss_after_training"] > 0
    assert small.evaluate(dataset, show=False)["accuracy"] == pytest.approx(before, abs=0.03)
