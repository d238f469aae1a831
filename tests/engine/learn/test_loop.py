"""The training loop: it learns, says what it does, and fails in words."""

import json
import math

import pytest
import torch
from torch import nn

from engine.compute import applied
from engine.errors import CancelledRun, UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.data.memory import batch_that_fits
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder

PLAN = ExecutionPlan(threads=1)


def blobs(count: int = 96, classes: int = 3, seed: int = 0) -> TrainingData:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % classes
    centres = 3 * torch.eye(4)[:classes]
    return TrainingData(Examples(centres[targets] + torch.randn(count, 4, generator=generator)), targets)


def network(outputs: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, outputs))


def run(tmp_path, module=None, data=None, stop=None, **options):
    ctx = Recorder(tmp_path, stop=stop)
    validation = options.pop("validation", None)
    chosen = {"epochs": 4, "batch_size": 16, "learning_rate": 0.02, **options}
    with applied(PLAN, 0):
        module = module or network()
        result = train(module, data or blobs(), TrainingOptions(**chosen), ctx, validation=validation)
    return ctx, module, result


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_the_loss_falls_and_accuracy_rises(tmp_path, optimizer, schedule):
    rate = 0.02 if optimizer == "adamw" else 0.2
    ctx, _, result = run(tmp_path, optimizer=optimizer, schedule=schedule, learning_rate=rate)
    losses = [value for _, value in ctx.series("loss")]
    assert sum(losses[-4:]) < 0.6 * sum(losses[:4])
    assert result.metrics["train_accuracy"] > 0.85


def test_every_step_is_logged_once_and_in_order(tmp_path):
    ctx, _, result = run(tmp_path)
    steps = [step for step, _ in ctx.series("loss")]
    assert steps == list(range(1, 4 * 6 + 1))
    assert [step for step, _ in ctx.series("learning_rate")] == steps
    assert [step for step, _ in ctx.series("train_accuracy")] == [6, 12, 18, 24]
    assert result.metrics["steps"] == 24
    assert ctx.done == (4, 4, "epochs")


def test_the_epoch_numbers_are_the_means_of_its_steps(tmp_path):
    ctx, _, result = run(tmp_path, epochs=1)
    losses = [value for _, value in ctx.series("loss")]
    assert result.history[0]["train_loss"] == pytest.approx(sum(losses) / len(losses))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    _, first, _ = run(tmp_path)
    _, second, _ = run(tmp_path)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    ctx = Recorder(tmp_path)
    with applied(PLAN, 0):
        other = network()
        train(other, blobs(), TrainingOptions(epochs=4, batch_size=16, learning_rate=0.02), ctx, seed=1)
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_a_loss_that_is_not_a_number_names_the_step_and_the_last_good_loss(tmp_path):
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(4, 3), 0

        def forward(self, x):
            self.calls += 1
            return self.layer(x) * (math.inf if self.calls == 5 else 1.0)

    with pytest.raises(UserError, match=r"The loss became nan at step 5; the last good loss was \d") as caught:
        run(tmp_path, module=Breaks())
    assert caught.value.field == "learning_rate"
    assert "Lower the learning rate" in run_hint(caught.value)


def run_hint(error: UserError) -> str:
    return error.hint or ""


def test_a_loss_that_is_not_a_number_at_the_first_step_points_at_the_data(tmp_path):
    data = blobs()
    data.examples._x[:] = math.nan
    with pytest.raises(UserError, match="nan at step 1, the first one") as caught:
        run(tmp_path, data=data)
    assert "data" in run_hint(caught.value)


def test_nothing_to_learn_from_is_an_error_in_words(tmp_path):
    empty = TrainingData(Examples(torch.zeros(0, 4)), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(UserError, match="The data set is empty"):
        run(tmp_path, data=empty)


@pytest.mark.parametrize("wrong", [-1, 3, 7])
def test_labels_that_the_model_has_no_output_for_are_named_before_the_first_loss(tmp_path, wrong):
    data = blobs()
    data.targets[17] = wrong
    with pytest.raises(UserError, match=r"The labels go from -?\d to \d, and the model tells 3 classes apart"):
        run(tmp_path, data=data)


class Hungry(nn.Module):
    """Takes at most ``limit`` examples at once."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.layer, self.limit = nn.Linear(4, 3), limit

    def forward(self, x):
        if len(x) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return self.layer(x)


def test_out_of_memory_says_which_batch_size_fits(tmp_path):
    with pytest.raises(UserError, match="Out of memory with a batch of 64") as caught:
        run(tmp_path, module=Hungry(20), batch_size=64, split_batches=False)
    assert caught.value.hint == "Set the batch size to 16, which fits."
    assert caught.value.field == "batch_size"


def test_out_of_memory_with_one_example_suggests_a_smaller_model(tmp_path):
    with pytest.raises(UserError) as caught:
        run(tmp_path, module=Hungry(0), batch_size=64)
    assert "smaller model" in run_hint(caught.value)


def test_the_search_for_a_batch_that_fits_stops_when_memory_is_not_the_reason():
    def broken(rows):
        raise ValueError("no")

    assert batch_that_fits(nn.Linear(1, 1), nn.functional.mse_loss, broken, 8, 8, torch.device("cpu")) == 4


def test_a_bug_in_a_network_stays_a_bug(tmp_path):
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(5, 3)

        def forward(self, x):
            return self.layer(x)

    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run(tmp_path, module=Wrong())


def test_batch_normalisation_with_one_example_is_explained(tmp_path):
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    with pytest.raises(UserError, match="at least 2 examples"):
        run(tmp_path, module=module, batch_size=1)
    data = blobs()
    # 97 = 6 x 16 + 1: the last batch of one is left out
    more = TrainingData(
        Examples(torch.cat([data.examples._x, data.examples._x[:1]])), torch.cat([data.targets, data.targets[:1]])
    )
    ctx, _, result = run(tmp_path, module=module, data=more)
    assert result.metrics["steps"] == 24
    assert len(ctx.series("loss")) == 24


def test_training_stops_early_and_takes_the_best_weights(tmp_path):
    torch.manual_seed(3)
    noise = TrainingData(Examples(torch.randn(32, 4)), torch.randint(0, 3, (32,)))
    ctx, module, result = run(
        tmp_path,
        data=noise,
        validation=blobs(48, seed=9),
        epochs=40,
        patience=3,
        schedule="constant",
        learning_rate=0.05,
    )
    best = min(range(len(result.history)), key=lambda n: result.history[n]["validation_loss"])
    assert result.metrics["best_epoch"] == best + 1
    assert result.metrics["epochs"] == best + 1 + 3 < 40
    assert result.metrics["validation_loss"] == result.history[best]["validation_loss"]
    data = blobs(48, seed=9)
    with torch.inference_mode():
        loss = float(nn.functional.cross_entropy(module(data.examples._x), data.targets))
    assert loss == pytest.approx(result.metrics["validation_loss"], rel=1e-5)
    assert any("Stopped after epoch" in line for line in ctx.lines)


def test_cancel_stops_within_one_step(tmp_path):
    def stop(ctx):
        if ctx.steps == 7:
            raise CancelledRun

    ctx = Recorder(tmp_path, stop=stop)
    with applied(PLAN, 0), pytest.raises(CancelledRun):
        train(network(), blobs(), TrainingOptions(epochs=4, batch_size=16), ctx)
    assert ctx.steps == 7


def test_the_gradient_is_clipped(tmp_path):
    _, free, _ = run(tmp_path, optimizer="sgd", learning_rate=1.0, epochs=1, momentum=0.0, weight_decay=0.0)
    _, clipped, _ = run(
        tmp_path, optimizer="sgd", learning_rate=1.0, epochs=1, momentum=0.0, weight_decay=0.0, gradient_clip=0.01
    )
    with applied(PLAN, 0):
        start = network()

    def moved(module):
        pairs = zip(module.parameters(), start.parameters(), strict=True)
        return math.sqrt(sum(float(((a.detach() - b.detach()) ** 2).sum()) for a, b in pairs))

    assert moved(clipped) <= 6 * 0.01 + 1e-6 < moved(free)


def test_channels_last_gives_the_same_numbers(tmp_path):
    images = TrainingData(Examples(torch.rand(32, 3, 8, 8)), torch.arange(32) % 3)
    results = []
    for layout in ("contiguous", "channels_last"):
        ctx = Recorder(tmp_path)
        ctx.plan = ExecutionPlan(threads=1, memory_format=layout)
        with applied(PLAN, 0):
            module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
            results.append(train(module, images, TrainingOptions(epochs=2, batch_size=8), ctx).metrics["train_loss"])
    assert results[0] == pytest.approx(results[1], rel=1e-4)


def test_regression_is_trained_by_squared_error(tmp_path):
    x = torch.randn(64, 4)
    data = TrainingData(Examples(x), x[:, 0] - x[:, 1])
    _, _, result = run(tmp_path, module=nn.Linear(4, 1), data=data, task="regression", epochs=20, learning_rate=0.1)
    assert result.metrics["train_loss"] < 0.05
    assert "train_accuracy" not in result.metrics
    assert json.dumps(result.history)
