"""The CPU, which every machine has. Answers everything without importing PyTorch."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.compute.backends.base import Backend, Device, has_compiler

if TYPE_CHECKING:
    import torch


class Cpu(Backend):
    """The processor.

    bfloat16 is legal on every CPU, and two times slower than fp32 on one without bf16 units: what is legal is for the
    machine to say, what pays is for the probe.
    """

    type = "cpu"
    title = "CPU"

    def devices(self) -> list[Device]:
        """One."""
        return [Device("cpu", "CPU", memory_mib())]

    def precisions(self, index: int) -> tuple[str, ...]:
        """No fp16: most CPUs emulate it, and bf16 serves the same end."""
        return ("bf16", "fp32")

    def can_compile(self) -> bool:
        """With a C++ compiler."""
        return has_compiler()

    def synchronize(self, device: torch.device) -> None:
        """A CPU is done when a call returns."""

    def random_state(self, device: torch.device) -> torch.Tensor:
        """PyTorch's global generator."""
        import torch

        return torch.get_rng_state()

    def set_random_state(self, device: torch.device, state: torch.Tensor) -> None:
        """PyTorch's global generator."""
        import torch

        torch.set_rng_state(state)


def memory_mib() -> int | None:
    """The machine's memory, or None when the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, ValueError, OSError):
        return None
