"""Intel GPUs, through ``torch.xpu``."""

from __future__ import annotations

from engine.compute.backends.base import Backend, has_triton


class Xpu(Backend):
    """``torch.xpu``."""

    type = "xpu"
    title = "Intel GPU"
    tested = False
    files = ("dri/render*", "dxg")

    def precisions(self, index: int) -> tuple[str, ...]:
        """All Intel GPUs that PyTorch supports have both halves."""
        return ("fp16", "bf16", "fp32")

    def can_compile(self) -> bool:
        """With Triton."""
        return has_triton()
