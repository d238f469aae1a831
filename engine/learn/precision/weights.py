"""Weights that come in a lower precision, and updates that are lost in it.

Called by the controller and before a training starts. A bf16 number has 8 bits: an update smaller than about a
two-hundred-and-fiftieth of its weight is rounded away, and a training whose updates are all that small stands still
with no number out of place. So weights are trained in fp32, which autocast lowers where that is safe ("master weights":
P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.1). Who wants them kept low, to save memory, is
watched: the share of lost updates is measured, and past a limit the weights go up to fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

LOW = (torch.bfloat16, torch.float16)


def low_weights(module: nn.Module) -> list[nn.Parameter]:
    """Trained weights that are held in bf16 or fp16.

    >>> len(low_weights(nn.Linear(2, 2).bfloat16())), len(low_weights(nn.Linear(2, 2)))
    (2, 0)
    """
    return [weight for weight in module.parameters() if weight.requires_grad and weight.dtype in LOW]


def raise_weights(module: nn.Module, optimizer: Optimizer | None = None) -> None:
    """Hold all weights, and what an optimiser remembers of them, in fp32 from here on; they stay the same objects.

    >>> layer = nn.Linear(2, 2).bfloat16()
    >>> raise_weights(layer)
    >>> layer.weight.dtype
    torch.float32
    """
    for held in (*module.parameters(), *module.buffers()):
        if held.dtype in LOW:
            held.grad = None
            held.data = held.data.float()
    for weight, values in optimizer.state.items() if optimizer is not None else ():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.dtype in LOW:
                values[name] = value.to(weight.dtype)


class LostUpdates:
    """Which share of the weights that have a gradient an update leaves as they are.

    Examples
    --------
    >>> weight = nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    >>> weight.grad = torch.ones_like(weight)
    >>> lost = LostUpdates([weight])
    >>> torch.optim.SGD([weight], lr=1e-4).step()
    >>> float(lost.share())
    1.0
    """

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self._before = [(weight, weight.detach().clone()) for weight in weights]

    def share(self) -> Tensor:
        """The share, still on the device: float32 ()."""
        lost = [torch.zeros((), device=self._before[0][0].device)]
        asked = [torch.ones((), device=self._before[0][0].device)]
        for weight, before in self._before:
            if weight.grad is not None:
                moved = weight.grad != 0
                lost.append(((weight.detach() == before) & moved).sum().float())
                asked.append(moved.sum().float())
        return torch.stack(lost).sum() / (torch.stack(asked).sum() - 1).clamp(min=1)
