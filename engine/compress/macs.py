"""How much a network has and does: parameters, and multiplications with additions for one example.

Called by pruning, the search and the command line. Counts what convolutions, linear layers and attention multiply;
normalisation, activations and sums are left out, as in the literature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Counts:
    """Size and work of a network.

    Attributes
    ----------
    params
        Numbers that are learned.
    macs
        Multiplications with additions for one example.
    """

    params: int
    macs: int


def count(module: nn.Module, sample: Tensor) -> Counts:
    """Parameters of a network, and its work for one example.

    Parameters
    ----------
    sample
        Inputs as the network takes them, (B, ...) with any B: the work is divided by it.

    Returns
    -------
    Counts
        A weight that two layers share counts once among the parameters, and each time it is used in the work. Attention
        that looks only backwards counts in full, as it is computed.

    Examples
    --------
    >>> count(nn.Conv2d(3, 8, 3, padding=1, bias=False), torch.zeros(2, 3, 10, 10))
    Counts(params=216, macs=21600)
    """
    params = sum(parameter.numel() for parameter in module.parameters())
    training = module.training
    module.eval()
    try:
        flops = _flops(module, sample)
    finally:
        module.train(training)
    return Counts(params, round(flops / 2 / len(sample)))


def _flops(module: nn.Module, sample: Tensor) -> int:
    """Without computing anything where that goes: only a network whose path depends on values has to be run."""
    try:
        tensors = {
            name: torch.empty_like(tensor, device="meta")
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
        }
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            functional_call(module, tensors, (sample.to("meta"),))
    except (RuntimeError, NotImplementedError):
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_CPU) as counter:
            module(sample)
    total: int = counter.get_total_flops()
    return total


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    """Of shapes (B, heads, T, K), (B, heads, S, K) and (B, heads, S, V): scores, and the sum that they weigh."""
    *sides, length, size = query
    return 2 * math.prod(sides) * length * key[-2] * (size + value[-1])


_CPU = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention}
"""What the counter does not know: the attention of CPUs."""
