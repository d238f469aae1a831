"""The sampled signals: how far the gradient of a rung is from the one in fp32.

Called by the controller every so many steps, on a few examples of the batch. Two backward passes on the same examples,
with the same random numbers, one of them in fp32; nobody notices them: gradients, buffers and generators are put back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from engine.learn.precision.diagnosis import untouched

SUBNORMAL = {torch.float16: 6.1e-5, torch.bfloat16: 1.2e-38}


def shadow(
    module: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    lower: Callable[[], AbstractContextManager[None]],
    scale: float = 1.0,
    dtype: torch.dtype | None = None,
) -> dict[str, float]:
    """Compare the gradient of a few examples at a rung with that in fp32.

    Parameters
    ----------
    inputs, targets
        The examples.
    lower
        Makes the context of the rung.
    scale
        The loss scale of the rung.
    dtype
        What the rung computes in.

    Returns
    -------
    dict
        ``cosine`` between both gradients; ``error``, the norm of their difference over the norm of the one in fp32;
        ``underflow``, the share of numbers that are not zero in fp32 but are zero or subnormal at the rung.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> layer, x, y = nn.Linear(8, 4), torch.randn(4, 8), torch.tensor([0, 1, 2, 3])
    >>> found = shadow(layer, nn.functional.cross_entropy, x, y, lambda: torch.autocast("cpu", torch.bfloat16))
    >>> found["cosine"] > 0.999, 0 < found["error"] < 0.02
    (True, True)
    """
    low = _gradient(module, loss, inputs, targets, lower, scale)
    high = _gradient(module, loss, inputs, targets, nullcontext, 1.0)
    smallest = SUBNORMAL.get(dtype, 0.0) / scale if dtype is not None else 0.0
    present = high != 0
    norms = low.norm() * high.norm()
    numbers = torch.stack(
        [
            torch.dot(low, high) / norms.clamp(min=1e-30),
            (low - high).norm() / high.norm().clamp(min=1e-30),
            (present & (low.abs() <= smallest)).sum() / present.sum().clamp(min=1),
        ]
    ).tolist()
    return dict(zip(("cosine", "error", "underflow"), numbers, strict=True))


def _gradient(
    module: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    inputs: Tensor,
    targets: Tensor,
    context: Callable[[], AbstractContextManager[None]],
    scale: float,
) -> Tensor:
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    with untouched(module):
        with context():
            outputs = module(inputs)
        gradients = torch.autograd.grad(loss(outputs.float(), targets) * scale, weights, materialize_grads=True)
    return torch.cat([gradient.float().flatten() for gradient in gradients]) / scale
