"""A search on a real network: what it finds, how it stops and goes on, and what it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.artifacts import ImagesRef, ModelRef
from engine.compress.search import Found, Goal, hunt, judge, maker, search, whole
from engine.compress.search.judge import Judge, Verdict
from engine.compress.search.strategy import Recipe
from engine.compress.search.tuning import Tuner
from engine.datasets import write_images
from engine.datasets.views import subset
from engine.errors import CancelledRun, UserError
from engine.models import build
from engine.runtime.models import read_spec, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.predictor import Predictor
from engine.runtime.targets import labels_of
from engine.testing import images, untrained
from tests.engine.contexts import Recorder

CLASSES = [str(digit) for digit in range(10)]
CONVNET = {"in_channels": 1, "num_classes": 10, "widths": [24, 48]}
LEARNED = 1250
PREPROCESSING = [{"op": "scale", "by": 8.0}, {"op": "normalise", "mean": [1.0], "std": [1.0]}]


class Digits:
    """A trained network and its data as artifacts."""

    def __init__(self, module: nn.Module, folder: Path, stop: Callable[[Recorder], None] | None = None) -> None:
        self.ctx = Recorder(folder, stop=stop)
        pixels, labels = digits()
        whole = write_images(
            self.ctx.store, pixels, labels, CLASSES, name="digits", meta={"preprocessing": PREPROCESSING}
        )
        self.learned: ImagesRef = subset(self.ctx.store, whole, np.arange(LEARNED))
        self.held: ImagesRef = subset(self.ctx.store, whole, np.arange(LEARNED, len(pixels)))
        spec = ModelSpec(
            architecture="convnet", config=CONVNET, task="classification", labels=CLASSES,
            input={"kind": "images", "shape": [1, 8, 8]}, preprocessing=PREPROCESSING,
        )  # fmt: skip
        self.model: ModelRef = save_model(self.ctx.store, spec, module.state_dict())

    def search(self, **goal: object) -> Found:
        return search(self.model, self.learned, self.held, Goal(**{"max_drop": 0.05, "epochs": 1, **goal}), self.ctx)

    def accuracy(self, model: ModelRef) -> float:
        answers = Predictor.open(model).predict(self.held)
        return float((answers.outputs.argmax(1) == labels_of(self.held, CLASSES)).float().mean())


def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    source = load_digits()
    order = np.random.default_rng(0).permutation(len(source.images))
    return source.images[order][:, None].astype(np.uint8), source.target[order].astype(np.int64)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    """A convnet that was trained on digits for a second."""
    pixels, labels = digits()
    x, y = torch.from_numpy(pixels[:LEARNED].astype(np.float32) / 8 - 1), torch.from_numpy(labels[:LEARNED])
    torch.manual_seed(0)
    net = build("convnet", CONVNET).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(3):
        for rows in torch.randperm(LEARNED).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net.eval()


@pytest.fixture(scope="module", autouse=True)
def _unhurried() -> Iterator[None]:
    """On a network this small a clock says little: nothing is refused for being slower, and timing is short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hunt, "SLOWER", 1000.0)
        patch.setattr(hunt, "TIMING_S", 0.1)
        patch.setattr(whole, "TIMING_S", 0.1)
        yield


@pytest.fixture(scope="module")
def found(module: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> tuple[Digits, Found]:
    made = Digits(module, tmp_path_factory.mktemp("search"))
    return made, made.search(candidates=2, max_drop=0.2, target="size")


def test_a_search_measures_the_original_its_file_and_the_candidates(found: tuple[Digits, Found]) -> None:
    points = found[1].points
    assert [point.name for point in points[:3]] == ["original", "fp32", "int8"]
    assert points[3].steps[1:] == ("recalibrate", "distil", "int8")
    assert points[0].baseline
    assert all(point.latency_ms > 0 and point.seconds > 0 for point in points)
    assert points[2].size_bytes < 0.5 * points[0].size_bytes
    assert points[3].size_bytes < points[2].size_bytes
    assert points[3].macs < points[2].macs


@pytest.mark.parametrize(
    ("steps", "harmless", "first"), [(1200, -1.0, "90%"), (600, -1.0, "80%"), (599, -1.0, "50%"), (599, 1.0, "80%")]
)
def test_the_first_cut_is_bold_where_a_long_training_follows_or_a_look_finds_no_harm(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, harmless: float, first: str
) -> None:
    monkeypatch.setattr(Tuner, "steps_in", lambda *_: steps)
    monkeypatch.setattr(hunt, "HARMLESS_DROP", harmless)
    result = Digits(module, tmp_path).search(candidates=2)
    assert result.points[3].steps[0] == f"prune {first}"


def test_the_first_training_gets_most_of_the_time_and_what_follows_most_of_the_rest(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    make = maker.Maker.make

    def made(self: maker.Maker, recipe: Recipe, seconds: float | None) -> maker.Made:
        if seconds is None:
            return make(self, recipe, seconds)
        shares.append(seconds / 10_000)  # so much that what the search itself takes does not count
        raise UserError("No training in this test", field="model")

    monkeypatch.setattr(maker.Maker, "make", made)
    Digits(module, tmp_path).search(candidates=3, budget_s=10_000.0)
    assert shares == [pytest.approx(hunt.FIRST_SHARE, abs=0.03), pytest.approx(hunt.LATER_SHARE, abs=0.03)]


def test_latency_is_measured_with_the_threads_that_are_asked_for(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    measured, before = hunt.measured, torch.get_num_threads()
    monkeypatch.setattr(
        hunt, "measured", lambda *a, **k: seen.append((k["threads"], torch.get_num_threads())) or measured(*a, **k)
    )
    Digits(module, tmp_path).search(candidates=1, threads=2)
    assert seen[0] == (2, 2)  # PyTorch too, beside which files are timed
    assert {threads for threads, _ in seen} == {2}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("is_trained", [True, False])
def test_only_a_network_that_has_learned_its_examples_is_asked_in_trainings(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trained: bool
) -> None:
    asked = []
    tune = Tuner.tune
    monkeypatch.setattr(Tuner, "tune", lambda self, *a: asked.append(self.teaches) or tune(self, *a))
    given = module if is_trained else build("convnet", CONVNET).eval()
    result = Digits(given, tmp_path).search(candidates=2, max_drop=1.0)
    assert asked == [is_trained]
    assert result.points[3].steps[2] == ("distil" if is_trained else "train")


@pytest.mark.parametrize(("beside_int8", "reason"), [(0.6, None), (1.3, "slower")])
def test_pruning_must_pay_beside_the_whole_network_in_turns_with_it(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside_int8: float, reason: str | None
) -> None:
    # INT8 seemed faster than it is when it was timed beside the original, some time before
    times = iter([0.2, 0.5, beside_int8])
    monkeypatch.setattr(hunt, "SLOWER", 1.02)
    monkeypatch.setattr(hunt.Hunt, "_times", lambda *_: next(times))
    result = Digits(module, tmp_path).search(candidates=2, max_drop=0.5, epochs=2)
    assert result.points[2].name == "int8"
    assert result.points[3].steps[0].startswith("prune")
    assert result.points[3].reason == reason


def test_what_was_good_by_luck_is_refused_on_the_other_half(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def report(self: Judge, *_: object) -> Verdict:
        asked.append(len(self.reporting))
        return Verdict(0.9 if len(asked) == 1 else 0.7)  # the original comes first

    monkeypatch.setattr(judge, "SHARED_BELOW", 100)
    monkeypatch.setattr(Judge, "report", report)
    result = Digits(module, tmp_path).search(candidates=1, max_drop=0.05)
    given, _, int8 = result.points
    assert int8.reason == "accuracy"
    assert given.accuracy - int8.accuracy == pytest.approx(0.2)
    assert result.best.name == "fp32"
    assert asked[0] == (1797 - LEARNED + 1) // 2


def test_every_model_of_the_front_answers_as_its_point_says(found: tuple[Digits, Found]) -> None:
    made, result = found
    by_digest = {point.digest: point for point in result.points if point.digest}
    assert set(by_digest) == {model.digest for model in result.front} | {result.model.digest}
    for model in result.front:
        assert made.accuracy(model) == pytest.approx(by_digest[model.digest].accuracy, abs=1e-6)


def test_every_small_model_of_the_front_carries_the_accuracy_of_its_point(found: tuple[Digits, Found]) -> None:
    result = found[1]
    measured = {point.digest: point.accuracy for point in result.points if point.digest and not point.baseline}
    small = [model for model in result.front if model.digest in measured]
    assert small
    for model in small:
        assert read_spec(model).metrics == {"validation_accuracy": measured[model.digest]}


def test_the_best_is_within_the_allowed_and_the_report_says_so(found: tuple[Digits, Found]) -> None:
    made, result = found
    report = result.report
    assert report["drop"] <= 0.2
    assert report["accuracy_after"] == pytest.approx(made.accuracy(result.model), abs=1e-6)
    assert report["speed_up"] == pytest.approx(report["before_ms"] / report["after_ms"])
    assert report["size_after_bytes"] == result.best.size_bytes


def test_each_candidate_is_a_decision_with_the_front_so_far(found: tuple[Digits, Found]) -> None:
    decisions = [one for one in found[0].ctx.decisions if one["kind"] == "candidate"]
    assert [one["step"] for one in decisions] == [0, 1, 2, 3]
    assert decisions[0]["evidence"]["front"] == ["original"]
    assert set(decisions[-1]["evidence"]) >= {
        "name", "steps", "size_bytes", "latency_ms", "accuracy", "params", "macs", "status", "reason", "front",
        "baseline", "seconds", "runtime",
    }  # fmt: skip


def test_a_pruned_network_carries_the_widths_it_was_left_with(found: tuple[Digits, Found]) -> None:
    pruned = next(model for model in found[1].front if model.digest == found[1].points[3].digest)
    assert sum(pruned.read_json("model.json")["config"]["widths"]) < sum(CONVNET["widths"])


@pytest.mark.slow
def test_a_cancelled_search_goes_on_where_it_stopped(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(ctx: Recorder) -> None:
        if any(one["step"] == 2 for one in ctx.decisions):
            raise CancelledRun

    made = Digits(module, tmp_path, stop=stop)
    with pytest.raises(CancelledRun):
        made.search(candidates=1)
    rounded = []
    original = maker.quantize_int8
    monkeypatch.setattr(maker, "quantize_int8", lambda *a, **k: rounded.append(1) or original(*a, **k))
    made.ctx._stop = None
    result = made.search(candidates=1)
    assert not rounded
    assert [point.name for point in result.points] == ["original", "fp32", "int8"]


@pytest.mark.slow
def test_a_budget_ends_the_search_with_what_it_has(module: nn.Module, tmp_path: Path) -> None:
    made = Digits(module, tmp_path)
    started = time.monotonic()
    result = made.search(budget_s=1.0)
    assert time.monotonic() - started < 30
    assert [point.name for point in result.points][:2] == ["original", "fp32"]
    assert any("time is over" in line for line in made.ctx.lines)


@pytest.mark.slow
def test_an_allowance_that_nothing_meets_leaves_the_model_and_says_how_far(module: nn.Module, tmp_path: Path) -> None:
    made = Digits(module, tmp_path)
    result = made.search(candidates=1, max_drop=-0.5)
    assert result.model == made.model
    assert result.best.name == "original"
    assert result.points[2].reason == "accuracy"
    assert any("Nothing stays within" in line for line in made.ctx.lines)


def test_a_model_without_weights_and_data_of_other_classes_are_refused(tmp_path: Path, module: nn.Module) -> None:
    made = Digits(module, tmp_path)
    with pytest.raises(UserError, match="no weights"):
        search(untrained(made.ctx.store), made.learned, made.held, Goal(), made.ctx)
    with pytest.raises(UserError, match="3 classes"):
        search(made.model, images(made.ctx.store), made.held, Goal(), made.ctx)
