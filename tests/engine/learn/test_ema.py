"""Averaged weights: right by hand, used for evaluation and for the saved model, kept by a resumed run."""

import hashlib

import pytest
import torch
from safetensors.torch import save
from torch import nn

from engine.compute import applied
from engine.errors import InterruptedRun
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.optim.ema import Average, make_average
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder


def data(count=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 3
    return TrainingData(Examples(3 * torch.eye(4)[:3][targets] + torch.randn(count, 4, generator=generator)), targets)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def learn(tmp_path, module, stop=None, **options):
    ctx = Recorder(tmp_path, stop=stop)
    chosen = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "averaging": "ema", **options}
    with applied(ExecutionPlan(threads=1), 0):
        result = train(
            module, data(), TrainingOptions(**chosen), ctx, validation=data(seed=7),
            checkpoints=CheckpointFolder(tmp_path / "checkpoints", 1000),
        )  # fmt: skip
    return ctx, result


def test_the_average_follows_the_weights_as_by_hand():
    layer = nn.Linear(1, 1, bias=False)
    values = [1.0, 5.0, -2.0, 4.0, 8.0, 0.5]
    nn.init.constant_(layer.weight, values[0])
    average = Average(layer, "ema", decay=0.75, every=1, total=9)
    expected = values[0]
    for step, value in enumerate(values[1:], 1):
        nn.init.constant_(layer.weight, value)
        average.update(step)
        part = max(0.25, 1 / (step + 1))
        expected += part * (value - expected)
    assert average.tensors()["weight"].item() == pytest.approx(expected)


def test_an_update_every_few_steps_keeps_as_much_as_one_in_each():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    every = {n: Average(layer, "ema", decay=0.99, every=n, total=9) for n in (1, 5)}
    nn.init.constant_(layer.weight, 1.0)
    for step in range(1001, 1051):
        for average in every.values():
            average.update(step)
    one, five = (average.tensors()["weight"].item() for average in every.values())
    assert one == pytest.approx(five, rel=1e-3)
    assert 0.3 < one < 0.5


def test_lookahead_sets_the_network_back_to_the_average():
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 0.0)
    average = Average(layer, "lookahead", decay=0.5, every=2, total=2)
    nn.init.constant_(layer.weight, 1.0)
    average.update(1)
    assert layer.weight.item() == 1.0
    average.update(2)
    assert layer.weight.item() == 0.75


def test_the_numbers_and_the_model_are_those_of_the_average(tmp_path):
    module = network()
    _, result = learn(tmp_path, module)
    with torch.inference_mode():
        other = data(seed=7)
        loss = float(nn.functional.cross_entropy(module(other.examples._x), other.targets))
    assert loss == pytest.approx(result.metrics["validation_loss"], rel=1e-5)
    (tmp_path / "plain").mkdir()
    plain = network()
    learn(tmp_path / "plain", plain, averaging="none")
    assert not torch.equal(plain[0].weight, module[0].weight)


def test_the_average_does_not_change_the_training(tmp_path):
    (tmp_path / "plain").mkdir()
    averaged, _ = learn(tmp_path, network())
    plain, _ = learn(tmp_path / "plain", network(), averaging="none")
    assert averaged.series("loss") == plain.series("loss")
    assert averaged.series("validation_loss") != plain.series("validation_loss")


@pytest.mark.parametrize("averaging", ["ema", "lookahead"])
@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_resumed_run_goes_on_with_its_average(tmp_path, averaging, at):
    (tmp_path / "whole").mkdir()
    whole, resumed = network(), network()
    options = {"averaging": averaging, "averaging_decay": 0.8, "averaging_steps": 2}
    learn(tmp_path / "whole", whole, **options)

    def stop(ctx):
        if ctx.steps == at:
            raise InterruptedRun

    with pytest.raises(InterruptedRun):
        learn(tmp_path, network(), stop=stop, **options)
    learn(tmp_path, resumed, **options)
    assert hashlib.sha256(save(whole.state_dict())).digest() == hashlib.sha256(save(resumed.state_dict())).digest()


def test_no_average_is_made_where_none_is_asked_for():
    assert make_average(network(), TrainingOptions(), 9) is None
