"""The learning-rate finder: it suggests a rate that works, and leaves nothing behind."""

import copy
import math

import pytest
import torch
from torch import nn

from engine.compute import applied
from engine.errors import UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.optim.finder import find_learning_rate, suggest
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder


def data(count=240):
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(count) % 3
    return TrainingData(Examples(2 * torch.eye(6)[:3][targets] + torch.randn(count, 6, generator=generator)), targets)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))


def look(tmp_path, module, given=None, **more):
    options = TrainingOptions(batch_size=24, **more)
    with applied(ExecutionPlan(threads=1), 0):
        return find_learning_rate(module, given or data(), options, Recorder(tmp_path), steps=80)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_at_the_suggested_rate_is_better_than_at_a_tenth_and_does_not_break(tmp_path, optimizer):
    curve = look(tmp_path, network(), optimizer=optimizer)
    losses = {}
    for name, rate in (("suggested", curve.suggested), ("tenth", curve.suggested / 10)):
        with applied(ExecutionPlan(threads=1), 0):
            options = TrainingOptions(
                epochs=2, batch_size=24, optimizer=optimizer, learning_rate=rate, schedule="cosine"
            )
            losses[name] = train(network(), data(), options, Recorder(tmp_path)).metrics["train_loss"]
    assert math.isfinite(losses["suggested"])
    assert losses["suggested"] < losses["tenth"]


def test_the_search_leaves_weights_statistics_generators_and_gradients_alone(tmp_path):
    module = network()
    before = copy.deepcopy(module.state_dict())
    with applied(ExecutionPlan(threads=1), 0):
        state = torch.get_rng_state()
        find_learning_rate(module, data(), TrainingOptions(batch_size=24), Recorder(tmp_path), steps=40)
        assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(weight.grad is None for weight in module.parameters())


def test_it_stops_when_the_loss_has_risen_far_or_is_no_number(tmp_path):
    curve = look(tmp_path, network(), optimizer="sgd")
    assert len(curve.rates) < 80
    assert all(math.isfinite(loss) for loss in curve.losses)
    assert curve.rates == sorted(curve.rates)


def test_data_from_which_nothing_can_be_learned_is_an_error_in_words(tmp_path):
    broken = data()
    broken.examples._x[:] = math.nan
    with pytest.raises(UserError, match=r"not a number|is nan"):
        look(tmp_path, network(), given=broken)
    with pytest.raises(UserError, match="falls at no learning rate"):
        suggest([10.0**n for n in range(-10, 0)], [1.0 + 0.1 * n for n in range(10)])


def test_a_fall_behind_the_lowest_loss_is_no_suggestion():
    rates = [10.0 ** (n / 4) for n in range(-20, 4)]
    losses = [
        2.3,
        2.3,
        2.3,
        2.3,
        2.3,
        2.2,
        2.0,
        1.7,
        1.5,
        1.4,
        1.3,
        1.3,
        1.3,
        1.3,
        1.4,
        1.6,
        3.0,
        4.2,
        4.0,
        3.0,
        2.1,
        2.4,
        4,
        5,
    ]
    assert rates[5] < suggest(rates, losses) < rates[10]
