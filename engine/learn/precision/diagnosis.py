"""In which layer of a network numbers stop being finite.

Called by the controller, with the batch of a step that failed and the weights from before it. The random generators and
the buffers of the network are put back, so looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.learn.shards import part_here


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the first number that is not finite is.

    Attributes
    ----------
    where
        In the batch itself, in the weights of a layer, in what a layer puts out, or only in the loss.
    layer
        Name of the layer; empty for the batch and the loss.
    """

    where: Literal["inputs", "weights", "outputs", "loss"]
    layer: str = ""


def diagnose(module: nn.Module, inputs: Tensor, forward: Callable[[], Any]) -> Finding:
    """Run one forward pass and say where numbers stop being finite.

    Parameters
    ----------
    forward
        Runs the network on the inputs, under the precision in question.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> _ = network[1].weight.data.fill_(float("inf"))
    >>> x = torch.ones(1, 2)
    >>> diagnose(network, x, lambda: network(x))
    Finding(where='weights', layer='1')
    """
    if not is_finite(inputs):
        return Finding("inputs")
    found: list[Finding] = []

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def look(layer: nn.Module, _: Any, outputs: Any) -> None:
            if found or all(is_finite(tensor) for tensor in _tensors(outputs)):
                return
            broken = any(not is_finite(weight) for weight in layer.parameters(recurse=False))
            found.append(Finding("weights" if broken else "outputs", name))

        return look

    layers = [(name, layer) for name, layer in module.named_modules() if name and not list(layer.children())]
    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers]
    try:
        with untouched(module), torch.no_grad():
            outputs = forward()
    finally:
        for handle in handles:
            handle.remove()
    if not found and not all(is_finite(tensor) for tensor in _tensors(outputs)):
        found.append(Finding("outputs", type(module).__name__))
    return found[0] if found else Finding("loss")


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put the buffers of a network and the random generators back after a pass that nobody should notice."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    with torch.random.fork_rng([device] if device.type == "cuda" else [], device_type="cuda"):
        yield
    with torch.no_grad():
        for buffer, before in kept:
            buffer.copy_(before)


def is_finite(tensor: Tensor) -> bool:
    """True when no number of a tensor, or of the part of it that is here, is infinite or not a number."""
    return not tensor.is_floating_point() or bool(torch.isfinite(part_here(tensor)).all())


def _tensors(outputs: Any) -> list[Tensor]:
    if isinstance(outputs, Tensor):
        return [outputs]
    if isinstance(outputs, (tuple, list)):
        return [tensor for part in outputs for tensor in _tensors(part)]
    return []
