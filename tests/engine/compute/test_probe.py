"""The probe chooses by the clock; the clock here is a toy that each step moves on."""

import pytest
import torch

from engine.compute.probe import budget, candidates, label, probe
from engine.compute.rungs import RUNGS
from engine.spec import Choice

COMPILING_S = 40.0


class Machine:
    """Steps that take the seconds they are told to."""

    def __init__(self, seconds, first=None, broken=()):
        self.now, self.seconds, self.first, self.broken = 0.0, seconds, first or {}, broken
        self.steps = dict.fromkeys(seconds, 0)

    def make_step(self, choice):
        name = label(choice)

        def step():
            if name in self.broken:
                raise RuntimeError("no kernel")
            self.now += self.seconds[name] + (self.first.get(name, 0.0) if self.steps[name] == 0 else 0.0)
            self.steps[name] += 1

        return step

    def probe(self, budget_s=100.0, steps_left=1000):
        named = {label(c): c for c in ALL}
        return probe(
            self.make_step,
            [named[name] for name in self.seconds],
            budget_s,
            steps_left=steps_left,
            compiling_s=COMPILING_S,
            clock=lambda: self.now,
        )


ALL = candidates([RUNGS[name] for name in RUNGS], ["contiguous", "channels_last"], [False, True])


def test_the_fastest_is_chosen_and_every_candidate_is_timed():
    machine = Machine({"fp32": 1.0, "bf16": 0.6, "fp32 channels_last": 0.9, "bf16 channels_last": 0.4})
    choice, timings = machine.probe()
    assert choice == Choice(precision="bf16", memory_format="channels_last")
    assert timings == pytest.approx(machine.seconds)


def test_a_precision_slower_than_fp32_is_dropped():
    machine = Machine({"fp32": 1.0, "bf16": 2.3, "fp32 channels_last": 1.2, "bf16 channels_last": 2.5})
    choice, _ = machine.probe()
    assert choice == Choice()
    assert machine.steps["bf16"] == 2  # warmed up and given up


def test_among_equals_the_safer_precision_and_the_plainer_form_win():
    choice, _ = Machine({"fp32": 1.0, "tf32": 0.5, "bf16": 0.495, "fp16": 0.497}).probe()
    assert choice.precision == "tf32"
    choice, _ = Machine({"fp32": 1.0, "fp32 channels_last": 0.99}).probe()
    assert choice.memory_format == "contiguous"
    choice, _ = Machine({"fp32": 1.0, "bf16": 0.99}).probe()
    assert choice.precision == "fp32"


def test_what_cannot_run_is_left_out_and_a_broken_fp32_step_is_an_error():
    choice, timings = Machine({"fp32": 1.0, "bf16": 0.1}, broken=["bf16"]).probe()
    assert choice.precision == "fp32"
    assert set(timings) == {"fp32"}
    with pytest.raises(RuntimeError, match="no kernel"):
        Machine({"fp32": 1.0, "bf16": 0.1}, broken=["fp32"]).probe()


def test_a_machine_that_does_other_things_in_between_does_not_mislead():
    machine = Machine({"fp32": 1.0, "bf16": 0.6})
    disturbed, make_step = [0], machine.make_step

    def disturbing(choice):
        step = make_step(choice)

        def slower_now_and_then():
            step()
            disturbed[0] += 1
            machine.now += 5.0 if disturbed[0] % 3 == 0 else 0.0

        return slower_now_and_then

    machine.make_step = disturbing
    choice, timings = machine.probe()
    assert choice.precision == "bf16"
    assert timings == pytest.approx(machine.seconds)


def test_compiling_is_chosen_only_when_the_steps_left_earn_it_back():
    seconds = {"fp32": 1.0, "bf16": 0.5, "bf16 compiled": 0.4}
    first = {"bf16 compiled": 40.0}
    choice, timings = Machine(seconds, first).probe(steps_left=10_000)
    assert choice == Choice(precision="bf16", compile=True)
    assert timings["bf16 compiled"] == pytest.approx(0.4)
    choice, _ = Machine(seconds, first).probe(steps_left=300)  # saves 30 s of 40
    assert choice == Choice(precision="bf16")


def test_compiling_is_not_tried_on_a_small_budget():
    machine = Machine({"fp32": 0.1, "fp32 compiled": 0.01})
    machine.probe(budget_s=COMPILING_S / 2)
    assert machine.steps["fp32 compiled"] == 0


def test_measuring_stays_near_its_budget():
    machine = Machine({"fp32": 1.0, "bf16": 0.9})
    machine.probe(budget_s=8.0)
    assert machine.now < 12.0


def test_a_training_too_short_to_pay_is_not_probed():
    assert budget(step_s=0.002, steps_left=300, count=4) is None
    assert budget(step_s=0.5, steps_left=4000, count=4) == pytest.approx(60.0)


def test_ten_minutes_of_long_steps_are_probed_with_few_of_them():
    assert budget(step_s=1.2, steps_left=500, count=4) == pytest.approx(18.0)
    assert budget(step_s=0.05, steps_left=500, count=4) is None
    machine = Machine({"fp32": 1.2, "bf16": 0.6, "fp32 channels_last": 1.1, "bf16 channels_last": 0.5})
    choice, _ = machine.probe(budget_s=18.0)
    assert choice == Choice(precision="bf16", memory_format="channels_last")
    assert machine.now < 18.0


def test_the_random_generator_is_put_back():
    before = torch.get_rng_state()
    probe(lambda choice: lambda: torch.rand(3).sum().item(), candidates([RUNGS["fp32"]]), 0.01, steps_left=10)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_real_step_is_timed_on_every_rung_of_this_machine():
    from engine.compute.rungs import autocast, legal_rungs, rung

    device = torch.device("cpu")
    layer = torch.nn.Linear(32, 32)

    def make_step(choice):
        def step():
            with autocast(rung(choice.precision, device), device):
                loss = layer(torch.ones(8, 32)).square().mean()
            loss.backward()

        return step

    choice, timings = probe(make_step, candidates(legal_rungs(device)), 0.05, steps_left=10)
    assert set(timings) == {"fp32", "bf16"}
    assert all(seconds > 0 for seconds in timings.values())
    assert label(choice) in timings
