"""No lower precision and nothing to watch: what a step needs from a controller, in fp32.

Called by the training loop where the plan says fp32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.optim import Optimizer

_NOTHING: AbstractContextManager[None] = nullcontext()


class PlainPrecision:
    """The controller's methods where there is nothing to control.

    Attributes
    ----------
    watches
        True when :meth:`observe` wants the norm of the gradient.
    """

    watches = False

    def autocast(self) -> AbstractContextManager[None]:
        """Where the network runs forward."""
        return _NOTHING

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a loss."""
        torch.autograd.backward(loss)

    def unscale(self, optimizer: Optimizer) -> None:
        """Gradients in their own size."""

    def apply(self, optimizer: Optimizer) -> None:
        """One step of the optimiser."""
        optimizer.step()

    def observe(self, step: int, loss: Tensor, norm: Tensor | None) -> None:
        """Hear of a step."""
