"""``deepseek.compress`` on digits: the best model, the front, and another point of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deepseek import Dataset, DeepSeekError, Model, compress
from deepseek.compressing import Compression

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # networks are written as ONNX several times


@pytest.fixture(scope="module")
def found(sdk: Path) -> tuple[Model, Dataset, Compression, list[dict]]:
    dataset = Dataset.load("digits")
    model = Model.create("convnet")
    model.train(dataset, epochs=3, show=False)
    events: list[dict] = []
    made = compress(model, dataset, max_drop=0.05, candidates=1, target="size", show=events.append)
    return model, dataset, made, events


def test_the_best_model_is_smaller_and_answers_as_well(found: tuple) -> None:
    model, dataset, made, _ = found
    before = model.evaluate(dataset, show=False)["accuracy"]
    assert made.model.evaluate(dataset, show=False)["accuracy"] >= before - 0.05
    assert made.report["size_after_bytes"] <= made.report["size_before_bytes"]
    sizes = {point["name"]: point["size_bytes"] for point in made.points}
    assert sizes["int8"] < 0.5 * sizes["original"]


def test_the_table_names_every_candidate_and_marks_the_best(found: tuple) -> None:
    made = found[2]
    lines = str(made).splitlines()
    assert [line.split()[0] for line in lines if line.startswith("*")] == ["*"]
    assert all(any(point["name"] in line for line in lines) for point in made.points)


def test_a_point_of_the_front_becomes_a_model(found: tuple, tmp_path: Path) -> None:
    _, dataset, made, _ = found
    name = made.front[-1]["name"]
    taken = made.take(name)
    assert taken.evaluate(dataset, show=False)["accuracy"] == pytest.approx(made.front[-1]["accuracy"], abs=0.03)
    with pytest.raises(DeepSeekError, match="point of the front"):
        made.take("nothing")


def test_candidates_are_told_while_it_searches(found: tuple) -> None:
    told = [e["evidence"]["name"] for e in found[3] if e["type"] == "decision" and e["kind"] == "candidate"]
    assert told == [point["name"] for point in found[2].points]


def test_the_picture_shows_every_point(found: tuple) -> None:
    made = found[2]
    assert sum(len(trace.x) for trace in made.figure().data) == len(made.points)


def test_an_unknown_setting_is_named(found: tuple) -> None:
    model, dataset, *_ = found
    with pytest.raises(DeepSeekError, match="budget"):
        compress(model, dataset, budget=3)
