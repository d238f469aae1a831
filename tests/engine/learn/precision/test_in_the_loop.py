"""The controller in the real loop: recovery, the log, checkpoints and the weights after a resume."""

import math

import pytest
import torch
from torch import nn

from engine.compute import applied
from engine.errors import InterruptedRun, UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.precision import PrecisionOptions
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder

STEPS = 12  # in an epoch


def blobs(bad=()) -> TrainingData:
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(192) % 3
    inputs = 2 * torch.eye(8)[targets] + torch.randn(192, 8, generator=generator)
    for row in bad:
        inputs[row, 1] = math.nan
    return TrainingData(Examples(inputs), targets)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))


def run(tmp_path, data, stop=None, precision="adaptive", folder=None, module=None, **options):
    ctx = Recorder(tmp_path, stop=stop)
    ctx.plan = ExecutionPlan(threads=1, precision=precision)
    chosen = {"epochs": 6, "batch_size": 16, "learning_rate": 0.02, **options}
    module = module or network()
    with applied(ExecutionPlan(threads=1), 0):
        result = train(module, data, TrainingOptions(**chosen), ctx, checkpoints=folder)
    return ctx, module, result


def test_an_example_that_is_not_finite_costs_its_batches_and_nothing_else(tmp_path):
    ctx, module, result = run(tmp_path, blobs(bad=[7]))
    left_out = [d["step"] for d in ctx.decisions if "is left out" in d["said"]]
    assert len(left_out) == 6
    assert [(step - 1) // STEPS for step in left_out] == list(range(6))
    logged = [step for step, _ in ctx.series("loss")]
    assert logged == [step for step in range(1, 6 * STEPS + 1) if step not in left_out]
    assert all(math.isfinite(value) for _, value in ctx.series("loss"))
    assert [step for step, _ in ctx.series("train_accuracy")] == [STEPS * n for n in range(1, 7)]
    assert result.metrics["train_accuracy"] > 0.85
    assert all(torch.isfinite(tensor).all() for tensor in module.state_dict().values())


def test_the_same_data_end_a_training_in_a_fixed_precision(tmp_path):
    with pytest.raises(UserError, match="The loss (is|became) nan at step"):
        run(tmp_path, blobs(bad=[7]), precision="fp32")


@pytest.mark.parametrize("where", [5, 9, 21, 40])
@pytest.mark.parametrize("options", [{}, {"averaging": "ema", "accumulation": 2}])
def test_a_run_that_was_interrupted_ends_with_the_weights_of_one_that_was_not(tmp_path, where, options):
    data, (a, b) = blobs(bad=[7, 100]), (tmp_path / "a", tmp_path / "b")
    a.mkdir(), b.mkdir()
    _, straight, _ = run(a, data, folder=CheckpointFolder(a / "kept", 1000), **options)

    def stop(ctx):
        if ctx.steps == where:
            raise InterruptedRun

    folder = CheckpointFolder(b / "kept", 3)
    with pytest.raises(InterruptedRun):
        run(b, data, stop=stop, folder=folder, **options)
    ctx, resumed, _ = run(b, data, folder=CheckpointFolder(b / "kept", 3), **options)
    for name, tensor in straight.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_training_that_cannot_be_saved_ends_in_the_clear_error(tmp_path):
    data = blobs(bad=range(192))
    with pytest.raises(UserError, match="The loss is nan at step 1, the first one") as caught:
        run(tmp_path, data)
    assert "missing values" in (caught.value.hint or "")


def test_early_stopping_and_a_rollback_over_the_end_of_an_epoch_agree(tmp_path):
    # step 13 is the first of the second epoch: its replay begins in the first
    ctx, _, result = run(
        tmp_path, blobs(bad=[7]), patience=50, watch=PrecisionOptions(least_snapshot_steps=30, probation=20)
    )
    assert len(result.history) == 6
    assert [step for step, _ in ctx.series("train_accuracy")] == [STEPS * n for n in range(1, 7)]


def test_a_fixed_bf16_computes_in_bf16_and_says_nothing(tmp_path):
    seen = []

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 3)

        def forward(self, x):
            out = self.layer(x)
            seen.append(out.dtype)
            return out

    ctx, _, result = run(tmp_path, blobs(), precision="bf16", module=Looks(), epochs=1)
    assert set(seen) == {torch.bfloat16}
    assert ctx.decisions == []
    assert math.isfinite(result.metrics["train_loss"])


def test_weights_that_come_in_bf16_are_trained_in_fp32(tmp_path):
    ctx, module, result = run(tmp_path, blobs(), module=network().bfloat16(), learning_rate=1e-4)
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    assert "trained in fp32" in ctx.decisions[0]["said"]
