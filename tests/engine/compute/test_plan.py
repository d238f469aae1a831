"""The execution plan: resolved for this machine, held to, and put back."""

import os

import pytest
import torch

from engine.compute import applied, available_devices, find_device, is_out_of_memory, resolve, usable_cpus
from engine.compute.plan import for_block
from engine.errors import UserError
from engine.spec import ExecutionPlan


def test_an_empty_request_becomes_a_complete_plan():
    plan = resolve()
    assert plan.device in [device.name for device in available_devices()]
    assert (plan.precision, plan.memory_format, plan.compile) == ("adaptive", "auto", "auto")
    assert plan.threads == usable_cpus() == len(os.sched_getaffinity(0))


def test_a_resolved_plan_resolves_to_itself():
    plan = resolve({"device": "cpu", "threads": 3, "memory_format": "channels_last"})
    assert resolve(plan) == plan
    assert plan.threads == 3


@pytest.mark.parametrize(
    ("requested", "field"),
    [
        ({"device": "npu"}, "device"),
        ({"precision": "fp8"}, "precision"),
        ({"speed": 1}, "speed"),
        ({"device": "cpu", "precision": "fp16"}, "precision"),
        ({"device": "cpu", "precision": "tf32"}, "precision"),
    ],
)
def test_what_the_machine_cannot_keep_is_refused_by_name(requested, field):
    with pytest.raises(UserError) as caught:
        resolve(requested)
    assert caught.value.field == field


def test_an_unknown_device_lists_those_that_exist():
    with pytest.raises(UserError, match="no device tpu") as caught:
        find_device("tpu")
    assert "cpu" in caught.value.hint


def test_a_plan_is_applied_and_everything_is_put_back():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    with applied(ExecutionPlan(threads=1), seed=5) as device:
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        first = torch.rand(3, device=device)
    with applied(ExecutionPlan(threads=1), seed=5):
        assert torch.equal(torch.rand(3), first)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_a_block_may_overrule_the_device_of_the_run():
    plan = ExecutionPlan(device="cuda:0", threads=2)
    assert for_block(plan, "auto") is plan
    assert for_block(plan, "cuda") is plan
    assert for_block(plan, "cpu").device == "cpu"


def test_out_of_memory_is_known_on_every_device():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_a_precision_that_a_device_has_not_lists_those_it_has():
    with pytest.raises(UserError, match="no precision fp16 on cpu") as caught:
        resolve({"device": "cpu", "precision": "fp16"})
    assert caught.value.values["precisions"] == "fp32, bf16"


def test_compiling_is_refused_where_no_compiler_is(monkeypatch):
    monkeypatch.setattr("engine.compute.backends.cpu.has_compiler", lambda: False)
    with pytest.raises(UserError) as caught:
        resolve({"device": "cpu", "compile": True})
    assert caught.value.field == "compile"
    monkeypatch.setattr("engine.compute.backends.cpu.has_compiler", lambda: True)
    assert resolve({"device": "cpu", "compile": True}).compile is True


def test_a_plan_allows_tf32_only_where_it_says_so():
    matmul, convolution = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, convolution.allow_tf32
    for precision, allowed in (("tf32", True), ("adaptive", False), ("fp32", False)):
        with applied(ExecutionPlan(threads=1, precision=precision), seed=0):
            assert (matmul.allow_tf32, convolution.allow_tf32) == (allowed, allowed)
    assert (matmul.allow_tf32, convolution.allow_tf32) == before
