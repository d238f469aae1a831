"""How long a network takes beside another one, in PyTorch.

Called by pruning, which promises no speed that was not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from engine.runtime.measure import compare


def latencies(
    modules: Mapping[str, nn.Module], one: Tensor, budget_s: float = 1.0, check: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Median time of each network for one input, in milliseconds; the faster of both memory formats for images.

    Parameters
    ----------
    modules
        In evaluation mode, on the device of the input; they take turns.
    one
        (1, ...).
    budget_s
        Time for all of them together.
    check
        Called before each round; may raise to stop.

    Examples
    --------
    >>> wide, narrow = nn.Linear(1500, 1500), nn.Linear(1500, 4)
    >>> found = latencies({"wide": wide, "narrow": narrow}, torch.zeros(1, 1500), 0.1)
    >>> found["narrow"] < found["wide"]
    True
    """
    calls: dict[str, Callable[[], object]] = {}
    for name, module in modules.items():
        calls[f"{name}/as it is"] = _call(module, one)
        if one.ndim == 4:
            # A copy of the pixels in the other order; the weights follow, which changes no value.
            calls[f"{name}/channels last"] = _call(module, one.contiguous(memory_format=torch.channels_last))
    found = compare(calls, budget_s, check)
    return {
        name: min(time.p50_ms for call, time in found.items() if call.rpartition("/")[0] == name) for name in modules
    }


def _call(module: nn.Module, one: Tensor) -> Callable[[], object]:
    @torch.inference_mode()
    def call() -> object:
        outputs = module(one)
        return outputs.cpu() if outputs.is_cuda else outputs  # waits for the device

    return call
