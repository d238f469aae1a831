"""What the weights of a network are multiplied with: second moments of inputs, counted while it computes.

Called by the quantisers of weights. Works on any network, traced or not: the calls of linear layers, convolutions and
tables are watched, whoever makes them, so a table of words that also scores words is seen in both uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from engine.compress.graph import CONVOLUTIONS

Check = Callable[[], None]
ROWS = 16_384
PATCH_NUMBERS = 32 * 2**20
CONVOLVING = {functional.conv1d: 1, functional.conv2d: 2}


@dataclass
class Seen:
    """What was seen of one weight.

    Attributes
    ----------
    moments
        float32 (K, K): mean of ``x x'`` over the inputs of its products; None when it was never multiplied.
    looked_up
        Whether rows of it were taken.
    """

    moments: Tensor | None = None
    rows: int = 0
    looked_up: bool = False


@dataclass
class Watched:
    """Name of a layer -> what was seen of its weight, in the order of first use."""

    layers: dict[str, Seen] = field(default_factory=dict)


def watch(module: nn.Module, batches: Sequence[Tensor], check: Check = lambda: None) -> Watched:
    """Compute some batches and count.

    Parameters
    ----------
    module
        In evaluation mode; left as it is.
    batches
        Inputs as the network takes them, each (B, ...).

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> seen = watch(net, [torch.tensor([[1.0, 2.0]])]).layers["0"]
    >>> seen.moments.tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    names: dict[int, str] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, (nn.Linear, nn.Embedding, *CONVOLUTIONS)):
            names.setdefault(id(layer.weight), name)
    found = Watched()
    mode = _Watching(names, found, max(64, ROWS // max(1, len(batches))))
    with torch.no_grad(), mode:
        for batch in batches:
            check()
            module(batch)
    for seen in found.layers.values():
        if seen.moments is not None:
            seen.moments /= max(1, seen.rows)
    return found


class _Watching(TorchFunctionMode):
    def __init__(self, names: dict[int, str], found: Watched, rows: int) -> None:
        super().__init__()
        self.names, self.found, self.rows = names, found, rows

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        weight = given.get("weight", args[1] if len(args) > 1 else None)
        if func is functional.linear or func in CONVOLVING:
            x = given.get("input", args[0] if args else None)
            name = self.names.get(id(weight))
            if name is not None and x is not None and weight is not None:
                self._multiplied(name, _columns(func, x, weight, args, given))
        elif func is functional.embedding and id(weight) in self.names:
            self.found.layers.setdefault(self.names[id(weight)], Seen()).looked_up = True
        return func(*args, **given)

    def _multiplied(self, name: str, x: Tensor | None) -> None:
        seen = self.found.layers.setdefault(name, Seen())
        if x is None:
            return
        if len(x) > self.rows:  # evenly spread over the batch
            x = x[torch.linspace(0, len(x) - 1, self.rows).long()]
        x = x.float()
        product = x.T @ x
        seen.moments = product if seen.moments is None else seen.moments + product
        seen.rows += len(x)


def _columns(func: Any, x: Tensor, weight: Tensor, args: Any, given: Any) -> Tensor | None:
    """The inputs of a layer as rows (R, K) that its flattened weight (N, K) is multiplied with; None: in groups."""
    if func is functional.linear:
        return x.detach().flatten(0, -2)
    named = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    told = {**dict(zip(named, args, strict=False)), **given}
    if told.get("groups", 1) != 1 or isinstance(told.get("padding"), str):
        return None
    if CONVOLVING[func] == 1:
        x, sides = x[:, :, None], (1, weight.shape[2])
    else:
        sides = (weight.shape[2], weight.shape[3])
    stride, padding, dilation = (
        _pair(told.get(name, start), CONVOLVING[func])
        for name, start in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    if CONVOLVING[func] == 1:
        padding = (0, padding[1])
    # Each place is looked at by several windows: few enough examples that they fit in memory.
    numbers = x[0].numel() * sides[0] * sides[1] // (stride[0] * stride[1])
    x = x.detach()[: max(1, PATCH_NUMBERS // max(1, numbers))]
    patches = functional.unfold(x, sides, dilation, padding, stride)
    return patches.transpose(1, 2).flatten(0, 1)


def _pair(value: Any, dimensions: int) -> tuple[int, int]:
    numbers = list(value) if isinstance(value, Sequence) else [value] * dimensions
    return (1, int(numbers[0])) if dimensions == 1 else (int(numbers[0]), int(numbers[1]))
