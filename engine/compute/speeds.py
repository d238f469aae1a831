"""How fast each precision of a device is, in a second or two: one matrix product and one convolution of usual size.

Called by :mod:`engine.compute.report` for ``deepseek doctor``. What a training runs at is measured by the probe, on
the training itself; these numbers are for people, and tell a machine with bf16 units from one without.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from engine.compute.devices import random_state_kept, synchronize
from engine.compute.rungs import Rung, kernels, legal_rungs

BUDGET_S = 2.5
"""For all precisions of a device together."""
_Work = Callable[[], object]


def measure_speeds(device: torch.device, budget_s: float = BUDGET_S) -> dict[str, dict[str, float]]:
    """Gigaflops a second of matrix products and convolutions (forward), by precision.

    A precision in which the device lacks a kernel is left out.

    Parameters
    ----------
    budget_s
        Seconds for everything; each case runs at least twice.

    Examples
    --------
    >>> sorted(measure_speeds(torch.device("cpu"), budget_s=0.01))
    ['bf16', 'fp32']
    """
    rungs = legal_rungs(device)
    each_s = budget_s / (2 * len(rungs))
    found: dict[str, dict[str, float]] = {}
    with random_state_kept(device), torch.inference_mode():
        for rung in rungs:
            try:
                found[rung.name] = {
                    "matmul": _gigaflops(*_matmul(rung, device), rung, device, each_s),
                    "conv": _gigaflops(*_conv(rung, device), rung, device, each_s),
                }
            except (RuntimeError, NotImplementedError):  # no kernel, or no memory for it
                continue
    return found


def _matmul(rung: Rung, device: torch.device) -> tuple[_Work, float]:
    size = 768 if device.type == "cpu" else 4096
    a, b = (torch.randn(size, size).to(device, rung.dtype or torch.float32) for _ in range(2))
    return lambda: a @ b, 2.0 * size**3


def _conv(rung: Rung, device: torch.device) -> tuple[_Work, float]:
    batch, channels, size = (8, 64, 32) if device.type == "cpu" else (128, 256, 32)
    dtype = rung.dtype or torch.float32
    images = torch.randn(batch, channels, size, size).to(device, dtype)
    filters = torch.randn(channels, channels, 3, 3).to(device, dtype)
    work = 2.0 * batch * channels * size * size * channels * 9
    return lambda: torch.nn.functional.conv2d(images, filters, padding=1), work


def _gigaflops(work: _Work, flops: float, rung: Rung, device: torch.device, budget_s: float) -> float:
    samples: list[float] = []
    with kernels(rung, device):
        until = time.perf_counter() + budget_s
        work()  # the first call chooses a kernel and fills caches
        synchronize(device)
        while not samples or time.perf_counter() < until:
            started = time.perf_counter()
            work()
            synchronize(device)
            samples.append(time.perf_counter() - started)
    return flops / statistics.median(samples) / 1e9
