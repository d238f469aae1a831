"""The loss scale of fp16, with a floor.

Called by the controller. Gradients below 6e-8 are zero in fp16, so the loss is multiplied before the backward pass and
the gradients are divided after it (P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2).
PyTorch's own scaler has no floor: a run of overflows takes its scale below 1, where it makes gradients smaller than
they are, and on to 0. Nothing here waits for the device, but the step of an optimiser that cannot be told to do
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.learn.precision.options import PrecisionOptions


class LossScaler:
    """Scales a loss, and skips steps whose gradients overflowed.

    Attributes
    ----------
    scale
        float32 (), on the device.
    overflows
        int32 (), on the device: overflows in a row up to now.

    Examples
    --------
    >>> scaler = LossScaler(torch.device("cpu"), PrecisionOptions(initial_scale=4.0))
    >>> weight = nn.Parameter(torch.ones(2))
    >>> optimizer = torch.optim.SGD([weight], lr=1.0)
    >>> torch.autograd.backward(scaler.scaled((weight * torch.tensor([0.5, 0.25])).sum()))
    >>> scaler.unscale(optimizer)
    >>> weight.grad.tolist()
    [0.5, 0.25]
    """

    def __init__(self, device: torch.device, options: PrecisionOptions) -> None:
        self._options = options
        self._device = device
        self.scale = torch.tensor(options.initial_scale, device=device)
        self.overflows = torch.zeros((), dtype=torch.int32, device=device)
        self._clean = torch.zeros((), dtype=torch.int32, device=device)
        self._overflowed: Tensor | None = None
        self.norm: Tensor | None = None

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss, larger."""
        return loss * self.scale

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale, once a step; ``norm`` is then their norm in their own size."""
        if self._overflowed is not None:
            return
        gradients = gradients_of(optimizer)
        torch._foreach_mul_(gradients, self.scale.reciprocal())
        self.norm = nn.utils.get_total_norm(gradients)
        self._overflowed = ~torch.isfinite(self.norm)

    def apply(self, optimizer: Optimizer) -> None:
        """Take a step of the optimiser unless the gradients overflowed; then choose the next scale."""
        self.unscale(optimizer)
        overflowed = self._overflowed
        assert overflowed is not None
        fused: Any = optimizer
        if self._device.type != "cpu" and getattr(fused, "_step_supports_amp_scaling", False):
            fused.grad_scale, fused.found_inf = None, overflowed.float()
            try:
                fused.step()
            finally:
                del fused.grad_scale, fused.found_inf
        elif not bool(overflowed):
            optimizer.step()
        self._choose(overflowed)
        self._overflowed = None

    def _choose(self, overflowed: Tensor) -> None:
        options = self._options
        interval = torch.where(self.scale < options.collapsed, options.collapsed_interval, options.growth_interval)
        clean = torch.where(overflowed, 0, self._clean + 1)
        grows = clean >= interval
        kept = torch.where(grows, self.scale * 2, self.scale).clamp(max=2.0**24)
        self.scale = torch.where(overflowed, (self.scale / 2).clamp(min=options.floor), kept)
        self._clean = torch.where(grows, 0, clean).to(torch.int32)
        self.overflows = torch.where(overflowed, self.overflows + 1, 0).to(torch.int32)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"scale": self.scale, "clean": self._clean, "overflows": self.overflows}

    def put_back(self, tensors: dict[str, Tensor]) -> None:
        """As it was when :meth:`tensors` was called."""
        self.scale = tensors["scale"].to(self._device, copy=True)
        self._clean = tensors["clean"].to(self._device, copy=True)
        self.overflows = tensors["overflows"].to(self._device, copy=True)
        self._overflowed = None


def gradients_of(optimizer: Optimizer) -> list[Tensor]:
    """All gradients that an optimiser is about to use."""
    weights: Iterable[Tensor] = (weight for group in optimizer.param_groups for weight in group["params"])
    return [weight.grad for weight in weights if weight.grad is not None]
