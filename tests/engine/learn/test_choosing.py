"""What a training begins with: fixed, remembered, measured or plain, in that order."""

import copy

import pytest
import torch
from torch import nn

from engine.compute import applied
from engine.compute.profile import remember_evidence, workload_key
from engine.errors import InterruptedRun, UserError
from engine.learn import TrainingData, TrainingOptions, choosing, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.choosing import block_plan, choose
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from engine.spec.context import Choice
from tests.engine.contexts import Recorder

KEY = workload_key("convnet", {}, (3, 8, 8), 8, "classification", "cpu")
OPEN = ExecutionPlan(precision="adaptive", memory_format="auto", compile=False)
OPTIONS = TrainingOptions(epochs=1, batch_size=8)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))


def images():
    generator = torch.Generator().manual_seed(0)
    return TrainingData(Examples(torch.rand(16, 3, 8, 8, generator=generator)), torch.arange(16) % 3)


def chosen(tmp_path, plan=OPEN, key=KEY, steps=100_000, earlier=None):
    ctx = Recorder(tmp_path)
    return choose(plan, key, network(), images(), OPTIONS, ctx, steps, earlier), ctx


def test_a_short_training_is_not_measured_and_begins_plain(tmp_path):
    choice, ctx = chosen(tmp_path, steps=799)
    assert choice == Choice()
    assert not ctx.decisions


def test_a_long_one_is_measured_and_says_what_it_found_in_a_form_that_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path))
    choice, ctx = chosen(tmp_path, steps=5000)
    (decision,) = ctx.decisions
    assert decision["kind"] == "probe"
    evidence = decision["evidence"]
    assert evidence["key"] == KEY
    assert set(evidence["timings"]) >= {"fp32", "bf16", "fp32 channels_last", "bf16 channels_last"}
    assert remember_evidence(evidence)
    assert evidence["choice"] == choice.model_dump()


def test_ten_minutes_of_long_steps_are_measured_although_compiling_is_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "_seconds", lambda *_: 1.2)
    monkeypatch.setattr(choosing, "probe", lambda *_, **__: (Choice(precision="bf16"), {"fp32": 1.2, "bf16": 0.6}))
    plan = OPEN.model_copy(update={"compile": "auto"})
    assert chosen(tmp_path, plan, steps=420)[0].precision == "bf16"
    assert chosen(tmp_path, plan, steps=380)[0] == Choice()


def test_what_compiling_is_expected_to_take_grows_with_the_layers_that_have_parameters(tmp_path, monkeypatch):
    asked = []
    plain = Choice(), {"fp32": 1.2}
    monkeypatch.setattr(choosing, "_seconds", lambda *_: 1.2)
    monkeypatch.setattr(choosing, "probe", lambda *_, **given: asked.append(given["compiling_s"]) or plain)
    plan = OPEN.model_copy(update={"compile": "auto"})
    deeper = nn.Sequential(*network()[:4], nn.Linear(144, 144), nn.ReLU(), nn.Linear(144, 3))
    for module in (network(), deeper):
        choose(plan, KEY, module, images(), OPTIONS, Recorder(tmp_path), 5000)
    assert asked == [choosing.COMPILER_S + layers * choosing.LAYER_S for layers in (3, 4)]


def test_measuring_leaves_the_network_and_the_generators_alone(tmp_path):
    module = network()
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(5)
    state = torch.get_rng_state()
    choose(OPEN, KEY, module, images(), OPTIONS, Recorder(tmp_path), 5000)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(weight.grad is None for weight in module.parameters())


def test_what_is_remembered_is_not_measured_again(tmp_path):
    known = Choice(precision="bf16", memory_format="channels_last")
    choice, ctx = chosen(tmp_path, OPEN.model_copy(update={"choices": {KEY: known}}))
    assert choice == known
    assert not ctx.decisions


def test_a_short_training_does_not_compile_because_a_long_one_found_it_worth_it(tmp_path):
    known = Choice(precision="bf16", compile=True)
    plan = OPEN.model_copy(update={"choices": {KEY: known}, "compile": "auto"})
    assert chosen(tmp_path, plan, steps=50)[0] == known.model_copy(update={"compile": False})
    assert chosen(tmp_path, plan, steps=10**9)[0] == known


def test_what_the_plan_fixes_stays_fixed(tmp_path):
    known = {KEY: Choice(precision="bf16", memory_format="channels_last", compile=True)}
    fixed = ExecutionPlan(precision="fp32", memory_format="auto", compile=False, choices=known)
    assert chosen(tmp_path, fixed)[0] == Choice(memory_format="channels_last")
    assert chosen(tmp_path, ExecutionPlan())[0] == Choice()


def test_without_a_key_nothing_is_measured(tmp_path):
    assert chosen(tmp_path, key=None)[0] == Choice()


def test_a_run_that_goes_on_begins_with_what_its_checkpoint_says(tmp_path, monkeypatch):
    found = Choice(precision="bf16", memory_format="channels_last")
    asked = []

    def once(make_step, kinds, budget_s, **more):
        asked.append(kinds)
        return found, {"fp32": 1.0, "bf16 channels_last": 0.5}

    monkeypatch.setattr(choosing, "probe", once)

    def stop(ctx):
        if ctx.steps == 3:
            raise InterruptedRun

    decided = []
    for _ in range(2):
        ctx, module = Recorder(tmp_path, stop=stop), network()
        with applied(OPEN, 0), pytest.raises(InterruptedRun):
            train(
                module, images(), TrainingOptions(epochs=600, batch_size=8), ctx, plan=OPEN, workload=KEY,
                checkpoints=CheckpointFolder(tmp_path / "checkpoints", 1000),
            )  # fmt: skip
        assert module[0].weight.is_contiguous(memory_format=torch.channels_last)
        decided += [d for d in ctx.decisions if d["kind"] == "probe"]
    assert len(asked) == len(decided) == 1


def test_a_wish_for_what_this_machine_has_not_is_refused_in_words():
    with pytest.raises(UserError, match="no device npu"):
        block_plan(ExecutionPlan(), {"device": "npu"})
    with pytest.raises(UserError, match="fp16") as caught:
        block_plan(ExecutionPlan(), {"precision": "fp16"})
    assert "bf16" in caught.value.hint


def test_a_block_without_wishes_takes_the_plan_of_the_run():
    plan = ExecutionPlan(device="cuda:1")
    assert block_plan(plan, {}) is plan
    assert block_plan(plan, {"device": "cuda"}) is plan
