"""How a step computes on a rung: forward, backward, and the step of the optimiser.

Called by the controller. Must not know why a rung was chosen.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.optim import Optimizer

from engine.compute.rungs import Rung, autocast, kernels
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.scaler import LossScaler

_NOTHING: AbstractContextManager[None] = nullcontext()


class Arithmetic:
    """Computes on any rung of a device; keeps the loss scale of fp16.

    Examples
    --------
    >>> from engine.compute.rungs import RUNGS
    >>> arithmetic = Arithmetic(torch.device("cpu"), PrecisionOptions())
    >>> with arithmetic.autocast(RUNGS["bf16"]):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """

    def __init__(self, device: torch.device, options: PrecisionOptions) -> None:
        self._device = device
        self.scaler = LossScaler(device, options)

    def autocast(self, rung: Rung) -> AbstractContextManager[None]:
        """Where the network runs forward."""
        return _NOTHING if self._is_plain(rung) else autocast(rung, self._device)

    def backward(self, loss: Tensor, rung: Rung) -> None:
        """Add the gradient of a loss."""
        if self._is_plain(rung):
            torch.autograd.backward(loss)
            return
        with kernels(rung, self._device):
            torch.autograd.backward(self.scaler.scaled(loss) if rung.scaled else loss)

    def unscale(self, optimizer: Optimizer, rung: Rung) -> None:
        """Gradients in their own size."""
        if rung.scaled:
            self.scaler.unscale(optimizer)

    def apply(self, optimizer: Optimizer, rung: Rung) -> None:
        """One step of the optimiser; on fp16 none when the gradients overflowed."""
        if rung.scaled:
            self.scaler.apply(optimizer)
        else:
            optimizer.step()

    def scale(self, rung: Rung) -> float:
        """What the loss is multiplied by; waits for the device."""
        return float(self.scaler.scale) if rung.scaled else 1.0

    def _is_plain(self, rung: Rung) -> bool:
        return rung.dtype is None and self._device.type != "cuda"
