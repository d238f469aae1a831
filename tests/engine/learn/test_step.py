"""One step: parts of a batch change nothing but the memory, and a run may stop between two of them."""

import hashlib

import pytest
import torch
from safetensors.torch import save
from torch import nn

from engine.compute import applied
from engine.errors import InterruptedRun, UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.data.augment import make_augmentation
from engine.runtime.examples import Examples
from engine.runtime.images import affine
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder


def pictures(count=36):
    generator = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 250, (count, 1, 6, 6), generator=generator, dtype=torch.uint8)
    factor, summand = affine([{"op": "scale", "by": 255.0}], 1)
    return TrainingData(
        Examples(pixels, factor, summand), torch.arange(count) % 3, make_augmentation([{"op": "crop", "padding": 1}])
    )


class Network(nn.Module):
    """Fails with more than ``limit`` examples at once, as a device whose memory runs out."""

    def __init__(self, limit: int = 10_000, dropout: float = 0.0, from_call: int = 0) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.GELU(), nn.Dropout(dropout), nn.Linear(8, 3))
        self.limit, self.from_call, self.sizes = limit, from_call, []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > self.limit and len(self.sizes) > self.from_call:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return self.body(x)


def learn(tmp_path, module, stop=None, checkpoints=False, **options):
    ctx = Recorder(tmp_path, stop=stop)
    chosen = {"epochs": 2, "batch_size": 16, "learning_rate": 0.02, **options}
    kept = CheckpointFolder(tmp_path / "checkpoints", 1000) if checkpoints else None
    with applied(ExecutionPlan(threads=1), 3):
        train(module, pictures(), TrainingOptions(**chosen), ctx, checkpoints=kept)
    return ctx, module


def largest_difference(first, second):
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def digest(module):
    return hashlib.sha256(save(module.state_dict())).hexdigest()


@pytest.mark.parametrize("accumulation", [2, 3, 5, 16, 100])
def test_accumulation_gives_the_weights_and_losses_of_the_whole_batch(tmp_path, accumulation):
    whole_ctx, whole = learn(tmp_path, Network())
    parts_ctx, parts = learn(tmp_path, Network(), accumulation=accumulation)
    assert max(parts.sizes) == -(-16 // accumulation)
    assert largest_difference(whole, parts) < 2e-5
    for (step, loss), (same, other) in zip(whole_ctx.series("loss"), parts_ctx.series("loss"), strict=True):
        assert step == same
        assert loss == pytest.approx(other, abs=1e-5)
    assert [v for _, v in whole_ctx.series("train_accuracy")] == [v for _, v in parts_ctx.series("train_accuracy")]


@pytest.mark.parametrize("from_call", [0, 4])
def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_training_goes_on(tmp_path, from_call):
    ctx, module = learn(tmp_path, Network(limit=5, from_call=from_call))
    assert [d["kind"] for d in ctx.decisions] == ["batch", "batch"]
    assert "in 4 parts" in ctx.decisions[-1]["said"]
    assert ctx.decisions[-1]["evidence"]["did not fit"] == 8
    assert len(ctx.series("loss")) == 6
    _, whole = learn(tmp_path, Network())
    assert largest_difference(whole, module) < 2e-5


def test_after_running_out_of_memory_the_result_is_that_of_accumulation_bit_by_bit(tmp_path):
    _, split = learn(tmp_path, Network(limit=4, dropout=0.3))
    _, parts = learn(tmp_path, Network(dropout=0.3), accumulation=4)
    assert digest(split) == digest(parts)


def test_parts_of_a_small_last_batch_are_as_even_as_can_be(tmp_path):
    # 36 = 16 + 16 + 4; the last one in parts of at most 3: 2 and 2, not 3 and 1
    _, module = learn(tmp_path, Network(), accumulation=6, epochs=1)
    assert module.sizes == [3, 3, 3, 3, 2, 2] * 2 + [2, 2]


def test_one_example_that_does_not_fit_is_an_error_in_words(tmp_path):
    with pytest.raises(UserError, match="Out of memory with a batch of 1") as caught:
        learn(tmp_path, Network(limit=0))
    assert "smaller model" in caught.value.hint


@pytest.mark.parametrize("call", [2, 3, 6, 9, 12, 15, 17])
def test_a_run_that_stops_between_two_parts_goes_on_with_the_next_one(tmp_path, call):
    (tmp_path / "whole").mkdir()
    _, whole = learn(tmp_path / "whole", Network(dropout=0.3), accumulation=4)
    stopped = Network(dropout=0.3)

    def stop(ctx):
        if ctx.steps == call:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        learn(tmp_path, stopped, stop=stop, checkpoints=True, accumulation=4)
    resumed = Network(dropout=0.3)
    learn(tmp_path, resumed, checkpoints=True, accumulation=4)
    assert digest(resumed) == digest(whole)
    assert len(stopped.sizes) + len(resumed.sizes) == len(whole.sizes)


def test_a_resumed_run_keeps_the_size_of_parts_that_memory_asked_for(tmp_path):
    def stop(ctx):
        if ctx.steps == 6:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        learn(tmp_path, Network(limit=5), stop=stop, checkpoints=True)
    ctx, module = learn(tmp_path, Network(limit=5), checkpoints=True)
    assert not ctx.decisions
    assert max(module.sizes) <= 5


class Balanced(nn.Module):
    """Adds a loss of its own and tells a number of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(36, 3)

    def forward(self, x):
        return self.layer(x.flatten(1))

    def extra_loss(self):
        return 100 * (self.layer.weight**2).sum()

    def live_metrics(self):
        return {"weight_size": self.layer.weight.detach().abs().max()}


def test_a_network_may_add_to_the_loss_and_tell_numbers_of_its_own(tmp_path):
    ctx, module = learn(tmp_path, Balanced(), epochs=20, optimizer="sgd", learning_rate=0.001)
    assert float(module.layer.weight.detach().abs().max()) < 0.02
    sizes = [value for _, value in ctx.series("weight_size")]
    assert sizes[-1] < sizes[0]
    assert ctx.series("loss")[0][1] > 10
