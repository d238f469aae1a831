"""NVIDIA GPUs, and AMD GPUs, which PyTorch's ROCm builds call by the same name."""

from __future__ import annotations

from engine.compute.backends.base import Backend, has_triton

FIRST_WITH_HALF, FIRST_WITH_BF16 = (5, 3), (8, 0)
"""CUDA compute capability from which fp16, and bf16 and TF32, are in hardware (CUDA C++ programming guide, ch. 5)."""


class Cuda(Backend):
    """``torch.cuda``."""

    type = "cuda"
    title = "NVIDIA or AMD GPU"
    files = ("nvidia[0-9]*", "nvidiactl", "dxg", "kfd")

    def precisions(self, index: int) -> tuple[str, ...]:
        """By the card's generation."""
        import torch

        if torch.version.hip:
            return ("fp16", "bf16", "fp32")
        capability = torch.cuda.get_device_capability(index)
        if capability >= FIRST_WITH_BF16:
            return ("fp16", "bf16", "tf32", "fp32")
        return ("fp16", "fp32") if capability >= FIRST_WITH_HALF else ("fp32",)

    def can_compile(self) -> bool:
        """With Triton."""
        return has_triton()
