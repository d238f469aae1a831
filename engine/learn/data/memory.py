"""Which batch fits in memory, found by trying.

Called by the training loop after a batch did not fit.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.compute.devices import is_out_of_memory
from engine.learn.tasks import Loss


def batch_that_fits(
    module: nn.Module,
    loss: Loss,
    batch: Callable[[Tensor], tuple[Tensor, Tensor]],
    count: int,
    too_large: int,
    device: torch.device,
) -> int | None:
    """The largest half, quarter, ... of a batch size whose gradient can be computed; None when not even 1 can.

    The network's gradients and running statistics change: the training that asks has failed already.
    """
    size = too_large // 2
    while size >= 1:
        rows = torch.arange(min(size, count), device=device)
        try:
            x, targets = batch(rows)
            torch.autograd.backward(loss(module(x), targets))
        except Exception as error:
            if not is_out_of_memory(error):
                return size  # memory is no longer what stops it
            size //= 2
        else:
            return size
        finally:
            module.zero_grad()
            if device.type != "cpu":
                torch.accelerator.empty_cache()
    return None
