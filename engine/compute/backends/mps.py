"""The GPU of Apple's processors, through ``torch.mps``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from engine.compute.backends.base import Backend, Device

if TYPE_CHECKING:
    import torch


class Mps(Backend):
    """``torch.mps``: one device, whose memory is the machine's."""

    type = "mps"
    title = "Apple GPU"
    tested = False

    def missing(self) -> str | None:
        """Only macOS has it."""
        return None if sys.platform == "darwin" else "not macOS"

    def precisions(self, index: int) -> tuple[str, ...]:
        """bf16 came with macOS 14."""
        import torch

        return ("fp16", "bf16", "fp32") if torch.backends.mps.is_macos_or_newer(14, 0) else ("fp16", "fp32")

    def random_state(self, device: torch.device) -> torch.Tensor:
        """Its functions take no device."""
        import torch

        return torch.mps.get_rng_state()

    def set_random_state(self, device: torch.device, state: torch.Tensor) -> None:
        """Its functions take no device."""
        import torch

        torch.mps.set_rng_state(state)

    def _device(self, index: int) -> Device:
        import torch

        return Device(f"mps:{index}", self.title, int(torch.mps.recommended_max_memory()) // 2**20)
