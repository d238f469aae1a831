"""The ladder of precisions, and what computing on a rung switches."""

import json
import subprocess
import sys

import pytest
import torch

from engine.compute.devices import random_state_kept
from engine.compute.rungs import RUNGS, autocast, kernels, legal_rungs, rung, set_tf32, tf32
from engine.compute.speeds import measure_speeds
from engine.errors import UserError

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "names"),
    [
        ((9, 0), ["fp16", "bf16", "tf32", "fp32"]),
        ((8, 0), ["fp16", "bf16", "tf32", "fp32"]),
        ((7, 5), ["fp16", "fp32"]),
        ((5, 0), ["fp32"]),
    ],
)
def test_the_rungs_of_a_gpu_follow_its_generation(monkeypatch, capability, names):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    assert [rung.name for rung in legal_rungs(torch.device("cuda:0"))] == names
    if "tf32" not in names:
        with pytest.raises(UserError, match="no precision tf32 on cuda:0"):
            rung("tf32", torch.device("cuda:0"))


def test_only_fp16_needs_its_loss_scaled_and_fp32_is_the_last_rung():
    assert [name for name, found in RUNGS.items() if found.scaled] == ["fp16"]
    assert legal_rungs(CPU)[-1] == RUNGS["fp32"]


def test_tf32_is_allowed_inside_its_rung_only():
    before = tf32(), torch.backends.cudnn.allow_tf32
    for allowed in (True, False):
        set_tf32(allowed)
        for name in RUNGS:
            with kernels(RUNGS[name], CUDA):
                assert tf32() == torch.backends.cudnn.allow_tf32 == (name == "tf32")
            assert tf32() == torch.backends.cudnn.allow_tf32 == allowed
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_fp32_inside_a_lower_rung_is_fp32():
    a = torch.ones(4, 4)
    with autocast(RUNGS["bf16"], CPU):
        assert (a @ a).dtype == torch.bfloat16
        with autocast(RUNGS["fp32"], CPU):
            assert (a @ a).dtype == torch.float32


def test_random_generators_are_put_back_after_an_error_too():
    def draw_and_fail():
        with random_state_kept(CPU):
            torch.rand(5)
            raise ValueError("stop")

    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="stop"):
        draw_and_fail()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_precision_without_a_kernel_has_no_speed(monkeypatch):
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda images, filters, padding: _only_fp32(images))
    assert set(measure_speeds(CPU, budget_s=0.01)) == {"fp32"}


def _only_fp32(images):
    if images.dtype != torch.float32:
        raise RuntimeError("not implemented for 'BFloat16'")
    return images


def test_a_plan_for_the_cpu_is_made_without_pytorch():
    code = """
import json, sys
from engine.compute.plan import resolve
plan = resolve({"device": "cpu"})
print(json.dumps([plan.precision, "torch" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert json.loads(done.stdout) == ["adaptive", False]


@pytest.mark.gpu
def test_tf32_loses_digits_on_a_gpu_and_fp32_does_not():
    device = torch.device("cuda:0")
    a = torch.randn(512, 512, dtype=torch.float64, device=device)
    exact = a @ a
    errors = {}
    for found in legal_rungs(device):
        with autocast(found, device):
            errors[found.name] = float(((a.float() @ a.float()).double() - exact).norm() / exact.norm())
    assert errors["fp32"] < 1e-6
    assert 1e-5 < errors["tf32"] < errors["bf16"]


@pytest.mark.gpu
def test_speeds_of_a_gpu_are_measured_on_each_rung():
    device = torch.device("cuda:0")
    speeds = measure_speeds(device, budget_s=0.5)
    assert set(speeds) == {found.name for found in legal_rungs(device)}
    assert speeds["bf16"]["matmul"] > speeds["fp32"]["matmul"]
