"""Faults of every kind are traced to their cause and recovered from; what cannot be recovered ends in words."""

import math

import pytest
import torch
from torch import nn

from engine.errors import UserError
from engine.learn.precision import PrecisionOptions
from tests.engine.learn.precision.toy import HALF, LOW, ONLY, Toy, Weak


def at(step, change):
    return lambda number, x, y: change(x, y) if number == step else (x, y)


def with_nan(x, y):
    x = x.clone()
    x[3, 2] = math.nan
    return x, y


@pytest.mark.parametrize("step", [1, 17, 70])
@pytest.mark.parametrize("ladder", [LOW, ONLY])
def test_a_batch_with_numbers_that_are_not_finite_is_left_out(ladder, step):
    toy = Toy(ladder, fault=at(step, with_nan)).run(120)
    assert toy.kinds() == ["data"]
    assert f"The batch of step {step + 1} holds".lower() in toy.said[-1]["said"].lower()
    assert toy.good()


def test_a_batch_that_is_far_too_large_is_left_out():
    # finite, so that only its loss tells; the gradient it gives ruins the weights
    toy = Toy(ONLY, module=nn.Linear(8, 3), fault=at(60, lambda x, y: (x * 1e30, y))).run(140)
    assert toy.kinds() == ["data"]
    assert toy.good()


@pytest.mark.parametrize("step", [2, 41, 90])
def test_activations_that_overflow_fp16_are_numeric_and_cured_one_rung_up(step):
    def marked(x, y):
        x = x.clone()
        x[0, 0] = 3.125
        return x, y

    module = Weak(lambda x, hidden: x[0, 0] == 3.125 and hidden.dtype == torch.float16, 1e6)
    toy = Toy(HALF, module=module, fault=at(step, marked), options=PrecisionOptions(stay_up=10)).run(130)
    assert toy.kinds() == ["numeric"]
    assert toy.rungs[step] == "bf16"
    assert toy.rungs[step + 9] == "bf16"
    assert toy.rungs[step + 10] == "fp16"
    assert toy.good()


@pytest.mark.parametrize("factor", [1e3, 1e6])
@pytest.mark.parametrize("step", [3, 50])
def test_a_shock_of_the_learning_rate_is_cut(factor, step):
    toy = Toy(ONLY, rate=lambda number: 0.01 * (factor if number == step else 1.0)).run(140)
    assert toy.kinds()[0] == "learning_rate"
    assert toy.good()


def test_a_learning_rate_that_stays_too_high_is_cut_and_stays_cut():
    toy = Toy(ONLY, rate=lambda number: 0.01 if number < 40 else 50.0).run(160)
    assert toy.kinds()
    assert toy.optimizer.param_groups[0]["lr"] <= 0.01
    assert toy.good()


def test_a_fault_that_does_not_come_back_is_passed_over():
    seen = []

    def once(number, x, y):
        if number == 30 and not seen:
            seen.append(number)
            return with_nan(x, y)
        return x, y

    toy = Toy(LOW, fault=once).run(60)
    assert toy.kinds() == ["passing"]
    assert toy.rungs[30] == "bf16"


def test_a_training_without_a_fault_is_not_touched():
    toy = Toy(LOW).run(100)
    assert toy.said == []
    untouched = Toy(LOW, options=PrecisionOptions(recover=False, sampled=())).run(100)
    pairs = zip(toy.module.state_dict().values(), untouched.module.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_data_that_is_never_finite_ends_in_words_that_point_at_it():
    with pytest.raises(UserError, match="The loss is nan at step 1, the first one") as caught:
        Toy(LOW, fault=lambda number, x, y: with_nan(x, y)).run(60)
    assert "missing values" in (caught.value.hint or "")


def test_a_network_that_is_broken_for_good_names_the_layer():
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.second(torch.log(-torch.relu(self.first(x)) - 1))

    with pytest.raises(UserError, match="layer second puts out numbers that are not finite"):
        Toy(LOW, module=Broken()).run(60)
    with pytest.raises(UserError, match="layer second puts out numbers that are not finite"):
        Toy(ONLY, module=Broken(), options=PrecisionOptions(recover=False)).run(60)


def test_a_fixed_precision_explains_and_does_not_recover():
    toy = Toy(ONLY, fault=at(20, with_nan), options=PrecisionOptions(recover=False))
    with pytest.raises(UserError, match=r"The loss became nan at step 21; the last good loss was 0") as caught:
        toy.run(60)
    assert caught.value.field == "learning_rate"
    assert toy.said == []


def schedule(seed: int, every: int) -> tuple[Toy, list[str]]:
    options = PrecisionOptions(stay_up=12, least_snapshot_steps=every)
    module = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))

    def fault(number, x, y):
        return with_nan(x, y) if number in (23, 77) else (x, y)

    toy = Toy(
        LOW, module=None if seed else module, options=options, fault=fault, seed=seed,
        rate=lambda number: 10.0 if number == 52 else 0.01,
    ).run(120)  # fmt: skip
    return toy, sorted(said["said"].split(": going back")[0] for said in toy.said)


def test_the_same_seed_gives_the_same_schedule_wherever_snapshots_lie():
    first, said = schedule(1, every=16)
    for every in (17, 29, 64):
        other, other_said = schedule(1, every=every)
        assert other_said == said
        assert other.rungs == first.rungs
        pairs = zip(first.module.state_dict().values(), other.module.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    assert len(said) >= 6


def test_a_loss_that_is_only_high_never_ends_a_training():
    # from here on the task itself is another one: no remedy brings the old loss back
    def harder(number, x, y):
        return (x, torch.randint(0, 3, y.shape)) if number >= 60 else (x, y)

    def run(ladder, **options):
        toy = Toy(ladder, fault=harder, module=nn.Linear(8, 3), options=PrecisionOptions(**options))
        toy.inputs = 20 * torch.eye(8)[toy.targets]
        return toy.run(150)

    toy = run(LOW)
    assert toy.kinds()[-1] == "unknown"
    assert "going on as it is" in toy.said[-1]["said"]
    assert toy.step == 150
    assert run(ONLY, recover=False).said == []
