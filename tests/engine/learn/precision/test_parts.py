"""The parts of the controller: scaler, window, snapshots, samples, weights, and what a checkpoint keeps."""

import json
import math
import sys

import pytest
import torch
from torch import nn

from engine.compute.rungs import RUNGS
from engine.errors import UserError
from engine.learn.precision import PrecisionOptions, make_controller
from engine.learn.precision.diagnosis import diagnose
from engine.learn.precision.ladder import Ladder
from engine.learn.precision.recovery import Order
from engine.learn.precision.scaler import LossScaler
from engine.learn.precision.shadow import shadow
from engine.learn.precision.signals import LossWindow, Reading
from engine.learn.precision.snapshots import SnapshotRing
from engine.learn.precision.weights import raise_weights
from tests.engine.learn.precision.toy import CPU, HALF, LOW, Toy, Weak


def step_with(scaler, gradient):
    weight = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.full((2,), gradient) * scaler.scale
    scaler.apply(optimizer)
    return weight


def test_the_loss_scale_never_falls_below_its_floor_and_recovers_quickly():
    scaler = LossScaler(CPU, PrecisionOptions(initial_scale=8.0, collapsed_interval=3))
    for _ in range(20):
        assert step_with(scaler, math.inf).tolist() == [0, 0]
    assert (float(scaler.scale), int(scaler.overflows)) == (1.0, 20)
    for _ in range(3):
        assert step_with(scaler, 0.5).tolist() == [-0.5, -0.5]
    assert (float(scaler.scale), int(scaler.overflows)) == (2.0, 0)


def test_a_healthy_loss_scale_grows_at_its_usual_pace():
    scaler = LossScaler(CPU, PrecisionOptions(initial_scale=1024.0, growth_interval=5, collapsed_interval=1))
    for _ in range(4):
        step_with(scaler, 1.0)
    assert float(scaler.scale) == 1024
    step_with(scaler, 1.0)
    assert float(scaler.scale) == 2048


def test_a_scaler_goes_on_from_a_checkpoint():
    scaler, other = (LossScaler(CPU, PrecisionOptions(growth_interval=5)) for _ in range(2))
    for gradient in (math.inf, 1.0, 1.0, 1.0):
        step_with(scaler, gradient)
    other.put_back(scaler.tensors())
    for one in (scaler, other):
        step_with(one, 1.0), step_with(one, 1.0)
    assert float(other.scale) == float(scaler.scale) == 65536.0


def feed(window, *losses, start=0):
    return [window.feed(Reading(start + n, loss, None), scaled=False) for n, loss in enumerate(losses)]


def test_one_hard_batch_is_no_fault_and_a_run_of_them_is():
    window = LossWindow(PrecisionOptions())
    feed(window, *[1.0 + 0.05 * (n % 4) for n in range(32)])
    assert feed(window, 3.0, 1.0, 3.0, 3.0, 1.0, start=32) == [None] * 5
    assert window.calm
    found = feed(window, 3.0, 3.0, 3.0, start=37)
    assert found[:2] == [None, None]
    assert (found[2].kind, found[2].number, found[2].loss) == ("spike", 37, 3.0)


def test_a_loss_that_falls_to_nothing_has_hard_batches_too():
    window = LossWindow(PrecisionOptions())
    losses = [math.exp(-n / 10) for n in range(120)]
    losses[90] = 0.5
    assert feed(window, *losses) == [None] * 120


def test_a_loss_that_is_far_out_is_a_fault_at_once():
    window = LossWindow(PrecisionOptions())
    feed(window, *[1.0 + 0.05 * (n % 4) for n in range(32)])
    assert feed(window, 1e6, start=32)[0].number == 32


def test_overflowing_gradients_are_the_business_of_a_scaler_where_there_is_one():
    window = LossWindow(PrecisionOptions())
    assert window.feed(Reading(0, 1.0, math.inf), scaled=True) is None
    fault = window.feed(Reading(1, 1.0, math.inf), scaled=False)
    assert (fault.kind, fault.number) == ("gradient", 1)


class Held:
    def __init__(self) -> None:
        self.weight, self.step = torch.zeros(3), 0

    def tensors(self):
        return {"weight": self.weight}

    def numbers(self):
        return {"step": self.step}

    def put_back(self, tensors, numbers):
        self.weight.copy_(tensors["weight"])
        self.step = numbers["step"]


def test_the_ring_keeps_two_snapshots_and_writes_over_the_older():
    held = Held()
    ring = SnapshotRing(held, PrecisionOptions())
    for step in (0, 20, 40):
        held.weight.fill_(step)
        held.step = step
        ring.capture(step, step_s=1.0)
    assert (ring.oldest.step, ring.newest().step, ring.newest(39).step) == (20, 40, 20)
    assert ring.newest(19) is None
    assert ring.size == 2 * 12
    held.weight.fill_(99)
    ring.restore(ring.newest(39))
    assert (held.weight.tolist(), held.step) == ([20, 20, 20], 20)
    assert ring.newest().step == 20
    held.weight.fill_(7)  # what was put back is not the snapshot itself
    assert ring.oldest.tensors["weight"].tolist() == [20, 20, 20]


@pytest.mark.parametrize(("step_s", "every"), [(1000.0, 16), (1e-9, 4096)])
def test_snapshots_are_as_far_apart_as_their_cost_asks(step_s, every):
    ring = SnapshotRing(Held(), PrecisionOptions())
    ring.capture(0, step_s)
    assert ring.every == every
    assert (ring.due(every - 1), ring.due(every)) == (False, True)


def test_a_cap_on_the_learning_rate_is_lifted_in_steps():
    ladder = Ladder([RUNGS["fp32"]], RUNGS["fp32"], 8, lambda *_, **__: None)
    ladder.obey(Order("cut", 10, rate=0.1, steps=50))
    seen = []
    for number in (10, 59, 60, 109, 110, 160, 210):
        ladder.back(number)
        seen.append(round(ladder.rate(0.5), 3))
    assert seen == [0.1, 0.1, 0.2, 0.2, 0.4, 0.5, 0.5]
    assert ladder.state_dict()["cap"] is None


def test_after_too_many_switches_the_higher_rung_is_kept():
    ladder = Ladder(LOW, LOW[0], 4, lambda *_, **__: None)
    for number in (0, 10):
        ladder.climb("fp32", number, 5)
        ladder.back(number + 5)
    assert ladder.rung.name == "fp32"
    ladder.back(1000)
    assert ladder.rung.name == "fp32"


def test_gradients_that_vanish_in_fp16_are_counted():
    layer, x, y = nn.Linear(8, 4), torch.randn(4, 8), torch.tensor([0, 1, 2, 3])

    def tiny(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets) * 1e-7

    def half():
        return torch.autocast("cpu", torch.float16)

    lost = shadow(layer, tiny, x, y, half, 1.0, torch.float16)
    scaled = shadow(layer, tiny, x, y, half, 65536.0, torch.float16)
    assert lost["underflow"] > 0.9 > 0.2 > scaled["underflow"]


def test_a_shadow_pass_leaves_no_trace():
    network = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    found = shadow(
        network, nn.functional.cross_entropy, torch.randn(6, 8, generator=torch.Generator().manual_seed(1)),
        torch.zeros(6, dtype=torch.long), lambda: torch.autocast("cpu", torch.bfloat16), 1.0, torch.bfloat16,
    )  # fmt: skip
    assert found["cosine"] > 0.99  # the same units were dropped in both passes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("signal", ["cosine", "error"])
def test_a_gradient_that_is_noise_at_a_rung_sends_the_training_up(signal):
    class Cancels(nn.Module):
        """Adds a large number and takes it away again: nothing of the signal is left in 8 bits."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            hidden = self.first(x)
            return self.last(torch.tanh((hidden + 3000.0) - 3000.0))

    options = PrecisionOptions(sampled=(signal,), sample_steps=10)
    toy = Toy(LOW, module=Cancels(), options=options).run(60)
    assert [said["kind"] for said in toy.said] == ["precision"]
    assert toy.said[0]["evidence"]["signal"] == signal
    assert (toy.rungs[19], toy.rungs[20]) == ("bf16", "fp32")


def test_fp16_that_overflows_whatever_the_scale_goes_up_a_rung():
    class Steep(nn.Module):
        """A gradient that no scale brings into the range of fp16."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)

        def forward(self, x):
            hidden = self.first(x)
            return self.last(torch.tanh(hidden * (1 + 1e6 * (hidden - hidden.detach()))))

    toy = Toy(HALF, module=Steep()).run(60)
    assert toy.said[0]["evidence"]["overflows"] >= 12
    assert toy.rungs[59] == "bf16"


def test_updates_that_are_lost_in_bf16_weights_raise_them():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3)).bfloat16()
    options = PrecisionOptions(weights="keep", sample_steps=10)
    toy = Toy(LOW, module=module, options=options, rate=lambda number: 1e-5).run(60)
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    assert "are lost in bfloat16 weights" in toy.said[0]["said"]
    assert len(toy.said) == 1


def test_raised_weights_keep_their_optimiser():
    layer = nn.Linear(4, 4).bfloat16()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
    optimizer.step()
    raise_weights(layer, optimizer)
    layer(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    assert {value.dtype for state in optimizer.state.values() for value in state.values()} == {torch.float32}


def test_bf16_native_weights_never_see_fp16(monkeypatch):
    making = sys.modules[make_controller.__module__]
    monkeypatch.setattr(making, "legal_rungs", lambda device: HALF)
    monkeypatch.setattr(making, "rung", lambda name, device: RUNGS[name])
    native = make_controller("adaptive", nn.Linear(2, 2).bfloat16(), CPU, lambda *_, **__: None, chosen="fp16")
    usual = make_controller("adaptive", nn.Linear(2, 2), CPU, lambda *_, **__: None, chosen="fp16")
    assert (native.rung.name, usual.rung.name) == ("bf16", "fp16")


def test_a_precision_that_the_machine_has_not_is_refused():
    with pytest.raises(UserError, match="fp16"):
        make_controller("fp16", nn.Linear(2, 2), CPU, lambda *_, **__: None)


def test_the_first_layer_that_overflows_is_named_and_looking_changes_nothing():
    module = Weak(lambda x, hidden: True, 1e5)
    before, state = [w.clone() for w in module.parameters()], torch.get_rng_state()
    x = torch.randn(4, 8)

    def forward():
        with torch.autocast("cpu", torch.float16):
            return module(x)

    state = torch.get_rng_state()
    found = diagnose(module, x, forward)
    assert (found.where, found.layer) == ("outputs", "last")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_a_controller_goes_on_from_a_checkpoint_with_the_same_schedule():
    def fault(number, x, y):
        if number in (30, 70):
            x = x.clone()
            x[0, 0] = math.nan
        return x, y

    def shock(number):
        return 10.0 if number == 44 else 0.01

    options = PrecisionOptions(stay_up=20)
    whole = Toy(LOW, fault=fault, rate=shock, options=options).run(100)
    first, second = (Toy(LOW, fault=fault, rate=shock, options=options) for _ in range(2))
    first.run(52)
    assert first.controller.calm
    kept = json.loads(json.dumps(first.controller.state_dict()))
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.put_back(first.tensors(), first.numbers())
    second.controller.load_state_dict(kept, first.controller.tensors())
    second.run(100)
    pairs = zip(whole.module.state_dict().values(), second.module.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert {**first.rungs, **second.rungs} == whole.rungs


@pytest.mark.parametrize("every", [10, 16, 40])
def test_running_statistics_that_a_batch_ruins_are_found_though_no_loss_shows_it(every):
    def fault(number, x, y):
        return (x * 1e8, y) if number == 50 else (x, y)

    options = PrecisionOptions(least_snapshot_steps=every, most_snapshot_steps=every)
    toy = Toy(LOW, fault=fault, options=options).run(120)
    assert toy.said[0]["evidence"]["fault"] == "statistics"
    assert toy.kinds() == ["data"]
    assert toy.said[-1]["step"] == 51
    assert toy.good()


def test_a_run_of_bad_batches_is_left_out_as_a_whole():
    def fault(number, x, y):
        return (x * 1e30, y) if 50 <= number < 53 else (x, y)

    toy = Toy(LOW, module=nn.Linear(8, 3), fault=fault).run(120)
    assert toy.kinds() == ["data"]
    assert "4 batches from step 51 on" in toy.said[-1]["said"]
    assert toy.good()


def test_running_statistics_that_are_looked_at_often_still_jump():
    window = LossWindow(PrecisionOptions())
    window.feed(Reading(31, 1.0, None, held=1.0, marks=True), scaled=False)
    growing = [10.0 ** (power / 2) for power in range(1, 8)]
    faults = [window.feed(Reading(32 + n, 1.0, None, held=held), scaled=False) for n, held in enumerate(growing)]
    assert [fault is not None for fault in faults] == [held > 1000 for held in growing]
