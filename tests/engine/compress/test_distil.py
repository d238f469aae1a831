"""The block that distils: what fits together and what does not, what the student reads, and what is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.artifacts import ArtifactStore, DatasetRef, ImagesRef, ModelRef
from engine.blocks.compress import distil, qat
from engine.compress import pack
from engine.compress import student as student_report
from engine.compute.world import ALONE
from engine.datasets import open_texts, write_images, write_texts
from engine.datasets.texts import TOKENIZER
from engine.distributed.launch import Job, launch
from engine.errors import UserError
from engine.learn.fit import fit
from engine.learn.options import TrainingOptions
from engine.runtime.models import WEIGHTS, read_spec, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.predictor import Predictor
from engine.testing import CLASSES, images, table, texts, trained, untrained
from engine.text import TextTokenizer, padded, train_tokenizer
from tests.engine.compress import teaching
from tests.engine.contexts import Recorder

BERT = {"hidden_size": 16, "layers": 2, "heads": 2, "intermediate_size": 32}


@pytest.fixture
def ctx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    for module in (student_report, pack):
        monkeypatch.setattr(module, "TIMING_S", 0.05)
    return Recorder(tmp_path)


def taught(ctx: Recorder, dataset: DatasetRef, task: str = "classification", **config: Any) -> ModelRef:
    """A teacher that has learned a sample data set."""
    architecture = config.pop("architecture", "mlp")
    fresh = save_model(ctx.store, ModelSpec(architecture=architecture, config=config or {"hidden": [32]}))
    options = TrainingOptions(task=task, epochs=40, batch_size=8, learning_rate=0.01)
    made = fit(fresh, dataset, None, options, Recorder(ctx.workdir.parent))  # type: ignore[arg-type]  # a context
    for left in (ctx.workdir / "checkpoints").glob("*"):
        left.rename(ctx.workdir / f"done-{left.name}")
    return made.model


def distilled(
    ctx: Recorder, teacher: ModelRef, student: ModelRef, dataset: DatasetRef, **params: Any
) -> distil.Outputs:
    chosen = distil.Params(**{"epochs": 30, "batch_size": 8, "learning_rate": 0.01, **params})
    held = params.pop("validation", None)
    return distil.run(chosen, teacher=teacher, student=student, dataset=dataset, validation=held, ctx=ctx)  # type: ignore[arg-type]


def renamed(store: ArtifactStore, ref: ImagesRef, classes: list[str]) -> ImagesRef:
    pixels, labels = np.load(ref.path("images.npy")), np.load(ref.path("labels.npy"))
    return write_images(store, pixels, labels, classes, name="columns")


def agreement(one: ModelRef, other: ModelRef, dataset: DatasetRef) -> float:
    answers = [[row["label"] for row in Predictor.open(ref).predict(dataset).records()] for ref in (one, other)]
    return float(np.mean([ours == theirs for ours, theirs in zip(*answers, strict=True)]))


def test_a_student_answers_as_its_teacher_and_the_report_says_what_both_cost(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    teacher = taught(ctx, dataset)
    made = distilled(ctx, teacher, untrained(ctx.store), dataset, weight=1.0)
    report = made.report.read_json("metrics.json")
    assert agreement(teacher, made.model, dataset) == report["agreement"] > 0.9
    assert report["size_before_bytes"] == teacher.files[WEIGHTS]["size"]
    assert report["size_after_bytes"] == made.model.files[WEIGHTS]["size"]
    assert report["params_before"] == 64 * 32 + 32 + 32 * 3 + 3
    assert report["macs_after"] == 64 * 8 + 8 * 3
    assert report["speed_up"] == pytest.approx(report["before_ms"] / report["after_ms"])
    assert "accuracy_before" not in report, "nothing was held out"
    assert made.history.read_json("metrics.json")["epochs"] == 30


def test_a_teacher_that_was_wrong_everywhere_is_followed_more_than_the_truth(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    turned = renamed(ctx.store, dataset, [CLASSES[1], CLASSES[2], CLASSES[0]])
    wrong = taught(ctx, turned)
    student = distilled(ctx, wrong, untrained(ctx.store), dataset, weight=1.0, epochs=90).model
    assert agreement(wrong, student, dataset) > 0.9


def test_classes_in_another_order_are_put_in_the_students(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    pixels, labels = np.load(dataset.path("images.npy")), np.load(dataset.path("labels.npy"))
    other = write_images(ctx.store, pixels, (labels + 1) % 3, [CLASSES[2], CLASSES[0], CLASSES[1]], name="columns")
    teacher = taught(ctx, other)
    assert read_spec(teacher).labels != CLASSES
    student = distilled(ctx, teacher, untrained(ctx.store), dataset, weight=1.0).model
    assert read_spec(student).labels == CLASSES
    assert agreement(teacher, student, dataset) > 0.9


def test_other_classes_are_refused_and_named(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    others = renamed(ctx.store, dataset, ["left", "middle", "top"])
    with pytest.raises(UserError, match="only the teacher knows right; only the student learns top") as caught:
        distilled(ctx, trained(ctx.store, dataset), untrained(ctx.store), others)
    assert caught.value.field == "teacher"


def test_another_task_is_refused(ctx: Recorder) -> None:
    numbers = table(ctx.store, "regression")
    teacher = trained(ctx.store, numbers, task="regression")
    options = TrainingOptions(epochs=1)
    with pytest.raises(UserError, match="learned regression, the student learns classification"):
        fit(untrained(ctx.store), table(ctx.store), None, options, ctx, teacher=teacher)  # type: ignore[arg-type]


def test_a_teacher_without_training_is_refused(ctx: Recorder) -> None:
    with pytest.raises(UserError, match="no weights yet"):
        distilled(ctx, untrained(ctx.store), untrained(ctx.store), images(ctx.store))


def test_numbers_on_another_scale_are_brought_to_the_students(ctx: Recorder) -> None:
    numbers = table(ctx.store, "regression")
    teacher = taught(ctx, numbers, task="regression")
    spec = read_spec(teacher)
    assert spec.target is not None
    wide = spec.target.model_copy(update={"std": 10 * spec.target.std, "mean": 5.0})
    # the same answers told on another scale: outputs times std plus mean
    weights = load_file(teacher.path(WEIGHTS))
    moved = (spec.target.mean - wide.mean) / wide.std
    weights["head.bias"] = weights["head.bias"] / 10 + moved
    weights["head.weight"] = weights["head.weight"] / 10
    other = save_model(ctx.store, spec.model_copy(update={"target": wide}), weights)
    student = distilled(ctx, other, untrained(ctx.store), numbers, weight=1.0, epochs=60).model
    aim, found = (Predictor.open(ref).predict(numbers).outputs for ref in (teacher, student))
    assert float((aim - found).abs().mean()) < 0.3 * float(aim.std())


def test_an_untrained_student_reads_what_its_teacher_reads_or_what_the_data_says(ctx: Recorder) -> None:
    dataset = texts(ctx.store)
    view = open_texts(dataset)
    assert view.labels is not None
    written = view.texts(slice(None))
    other = train_tokenizer(written, kind="wordpiece", size=50)
    cut = padded(other, written, 12).tokens
    known = {"task": "classification", "name": "places", "texts": written, "labels": view.labels, "classes": CLASSES}
    teacher = taught(ctx, write_texts(ctx.store, cut, other, **known), architecture="bert", **BERT)
    student = save_model(ctx.store, ModelSpec(architecture="bert", config={**BERT, "layers": 1}))

    def learned(**params: Any) -> tuple[ModelRef, int]:
        made = distilled(ctx, teacher, student, dataset, epochs=2, **params).model
        return made, int(read_spec(made).config["vocab_size"])

    like, words = learned(hidden=0.5, attention=0.5)
    assert words == other.size
    assert TextTokenizer(like.read_bytes(TOKENIZER)).sha256 == other.sha256
    apart, words = learned(hidden=0.5, reads="data")
    assert words == view.tokenizer.size != other.size
    with pytest.raises(UserError, match="read other tokens, so what they look at") as caught:
        learned(attention=0.5, reads="data")
    assert caught.value.field == "attention"


def test_a_student_with_all_layers_and_the_words_that_occur_starts_as_its_teacher(ctx: Recorder) -> None:
    dataset = texts(ctx.store)
    view = open_texts(dataset)
    assert view.labels is not None
    written = view.texts(slice(None))
    large = train_tokenizer([*written, *FOREIGN], kind="wordpiece", size=300)
    cut = padded(large, written, 12).tokens
    known = {"task": "classification", "name": "places", "texts": written, "labels": view.labels, "classes": CLASSES}
    own = write_texts(ctx.store, cut, large, **known)
    teacher = taught(ctx, own, architecture="bert", **BERT)
    student = save_model(ctx.store, ModelSpec(architecture="bert", config=BERT))
    chosen = {"start": "teacher", "reads": "seen", "attention": 1.0, "hidden": 1.0}
    made = distilled(ctx, teacher, student, own, epochs=1, learning_rate=1e-9, **chosen).model
    assert int(read_spec(made).config["vocab_size"]) < large.size
    ours, theirs = (Predictor.open(ref).predict(own).outputs for ref in (made, teacher))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


FOREIGN = ["some other sentences bring many words which nobody writes among places", "another one does the same"] * 3


@pytest.mark.slow
def test_a_teacher_in_whole_numbers_teaches_too(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    teacher = taught(ctx, dataset)
    small = qat.run(
        qat.Params(epochs=1, batch_size=8, examples=16),
        model=teacher,
        dataset=dataset,
        validation=None,
        ctx=ctx,  # type: ignore[arg-type]
    )
    again = Recorder(ctx.workdir.parent)
    for left in (ctx.workdir / "checkpoints").glob("*"):
        left.rename(ctx.workdir / f"qat-{left.name}")
    student = distilled(again, small.model, untrained(ctx.store), dataset, weight=1.0).model
    assert agreement(teacher, student, dataset) > 0.9


def test_training_in_int8_reports_and_keeps_what_is_better(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    teacher = taught(ctx, dataset)
    params = qat.Params(epochs=1, batch_size=8, examples=16, learning_rate=1.0)
    made = qat.run(params, model=teacher, dataset=dataset, validation=dataset, ctx=ctx)  # type: ignore[arg-type]
    report = made.report.read_json("metrics.json")
    assert report["loss_after_training"] > report["loss_before_training"], "a rate of 1 ruins it"
    assert any("Training has not helped" in line for line in ctx.lines)
    assert report["drop"] == pytest.approx(report["accuracy_before"] - report["accuracy_after"])
    assert report["accuracy_after"] > 0.9


@pytest.mark.slow
def test_two_processes_distil_what_one_distils(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Recorder(tmp_path / "one"), Recorder(tmp_path / "two")
    teaching.main({}, one, ALONE)
    launch(Job("tests.engine.compress.teaching", {}, 2, hang_s=25.0), two)  # type: ignore[arg-type]
    ours, theirs = (load_file(ctx.workdir / "weights.safetensors") for ctx in (one, two))
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_block_distils_on_two_processes(ctx: Recorder) -> None:
    dataset = images(ctx.store)
    teacher = taught(ctx, dataset)
    alone = distilled(ctx, teacher, untrained(ctx.store), dataset, epochs=2)
    together = distilled(ctx, teacher, untrained(ctx.store), dataset, epochs=2, devices=2)
    ours, theirs = (load_file(made.model.path(WEIGHTS)) for made in (alone, together))
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-4, atol=1e-5)
