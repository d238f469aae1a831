"""Where a student and its teacher can be compared: which layers of a network are its hidden states and its attention.

Called by :mod:`engine.learn.distil.guide`. Nothing is registered for an architecture: the layers are found by how
networks are written, so a module of somebody's own is treated like ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

PROJECTIONS = (("query", "key", "value"), ("q_proj", "k_proj", "v_proj"))


def hidden_layers(module: nn.Module) -> list[str]:
    """Names of the layers whose outputs are a network's hidden states, first to last.

    What the network names as its ``stages``; else its several sequences; else the elements of its longest list.

    Examples
    --------
    >>> hidden_layers(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3)))
    ['0', '2']
    """
    stages = getattr(module, "stages", None)
    if stages:
        return [str(name) for name in stages]
    outer = list(_outermost_lists(module))
    sequences = [name for name, part in outer if isinstance(part, nn.Sequential) and _weights(part)]
    if len(sequences) > 1:
        return sequences
    if not outer:
        return []
    name, largest = max(outer, key=lambda found: _weights(found[1]))
    within = f"{name}." if name else ""
    return [f"{within}{place}" for place, layer in enumerate(largest.children()) if _weights(layer)]


def attention_projections(module: nn.Module) -> list[tuple[str, ...]]:
    """Names of the layers that make queries, keys and values, three for each layer of attention.

    >>> from engine.models import build
    >>> known = {"num_classes": 2, "in_channels": 1, "image_size": [8, 8], "layers": 2, "hidden_size": 6, "heads": 2}
    >>> attention_projections(build("vit", known))[1][0]
    'vit.encoder.layer.1.attention.attention.query'
    """
    found = []
    for name, part in module.named_modules():
        children = {child for child, _ in part.named_children()}
        for names in PROJECTIONS:
            if children.issuperset(names):
                found.append(tuple(f"{name}.{one}" for one in names))
    return found


def matched(students: list[str], teachers: list[str]) -> list[tuple[str, str]]:
    """Pairs of layers at the same share of the depth (X. Jiao et al., "TinyBERT", EMNLP findings 2020, section 4.1).

    >>> matched(["a", "b"], ["1", "2", "3", "4"])
    [('a', '2'), ('b', '4')]
    """
    count = min(len(students), len(teachers))
    places = [(n * len(students) // count - 1, n * len(teachers) // count - 1) for n in range(1, count + 1)]
    return [(students[ours], teachers[theirs]) for ours, theirs in places]


class Watch:
    """Keeps what some layers put out while the network computes.

    Parameters
    ----------
    names
        Of the layers.

    Attributes
    ----------
    values
        Name -> output of the newest forward pass; of a layer that was called several times, the first.
    """

    def __init__(self, module: nn.Module, names: list[str]) -> None:
        self.values: dict[str, Tensor] = {}
        self._layers = {name: module.get_submodule(name) for name in names}

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Around a forward pass. Only then do the layers know of it: copies of the network are free of it."""
        self.values = {}
        hooks = [layer.register_forward_hook(self._keeping(name)) for name, layer in self._layers.items()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _keeping(self, name: str) -> Any:
        def keep(layer: nn.Module, inputs: Any, output: Any) -> None:
            self.values.setdefault(name, output[0] if isinstance(output, tuple) else output)

        return keep


def _outermost_lists(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, nn.ModuleList | nn.Sequential) and len(module):
        yield name, module
        return
    for child, part in module.named_children():
        yield from _outermost_lists(part, f"{name}.{child}" if name else child)


def _weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
