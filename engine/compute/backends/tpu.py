"""Google TPUs, through ``torch_xla``. Untested: see :mod:`engine.compute.backends.plugin`.

XLA is no PrivateUse1 runtime: PyTorch knows its device type and nothing else, so what ``torch.<type>`` answers for
others is asked of ``torch_xla`` here. It computes lazily: work starts when somebody reads a number, as the training
loop does every few steps.

Source: PyTorch/XLA, "API guide" (torch_xla, runtime and core.xla_model).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from engine.compute.backends.base import Device
from engine.compute.backends.plugin import PlugIn

if TYPE_CHECKING:
    import torch


class Tpu(PlugIn):
    """``xla``, on a TPU."""

    type = "xla"
    alias = "tpu"
    title = "Google TPU"
    package = "torch_xla"
    needs = "a TPU host and the package torch_xla of this PyTorch version"

    def devices(self) -> list[Device]:
        """Those of this host; XLA on other hardware is left to PyTorch's own backends."""
        runtime = importlib.import_module("torch_xla.runtime")
        if runtime.device_type() != "TPU":
            return []
        return [Device(f"xla:{index}", self.title, None) for index in range(runtime.addressable_device_count())]

    def precisions(self, index: int) -> tuple[str, ...]:
        """A TPU's matrix unit multiplies bf16."""
        return ("bf16", "fp32")

    def synchronize(self, device: torch.device) -> None:
        """Run what was gathered, and wait for it."""
        importlib.import_module("torch_xla").sync()
        self._model().wait_device_ops()

    def seed(self, device: torch.device, seed: int) -> None:
        """``torch.manual_seed`` does not reach XLA."""
        self._model().set_rng_state(seed, str(device))

    def random_state(self, device: torch.device) -> torch.Tensor:
        """One number."""
        import torch

        return torch.tensor([self._model().get_rng_state(str(device))])

    def set_random_state(self, device: torch.device, state: torch.Tensor) -> None:
        """One number."""
        self._model().set_rng_state(int(state.item()), str(device))

    def _model(self) -> Any:
        return importlib.import_module("torch_xla.core.xla_model")
