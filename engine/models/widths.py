"""The widths of a network that may shrink: what pruning reads, and what a pruned network's configuration says.

Called by architectures, which declare theirs, and by pruning. Must not know how a width is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from engine.models.registry import ModelConfig

Place = tuple[str | int, ...]
"""Where a number stands in a configuration: ``("inner_widths", 0, 1)``."""


@dataclass(frozen=True)
class Widths:
    """Every free width of a network, written out.

    Attributes
    ----------
    values
        Fields of the configuration with their numbers: one, or nested lists of them.
    tied
        Places that have to hold one number, because a sum or a filter of single channels joins them.
    fixed
        Fields that have to be written out too, so that they stay what they are when a width shrinks.
    streams
        Fields of ``values`` that are the width of what several blocks add to, one after the other.
    """

    values: Mapping[str, Any]
    tied: tuple[tuple[Place, ...], ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    streams: tuple[str, ...] = ()


def places(value: Any, before: Place = ()) -> Iterator[Place]:
    """The place of every number.

    >>> list(places({"a": 1, "b": [[2], [3]]}))
    [('a',), ('b', 0, 0), ('b', 1, 0)]
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from places(inner, (*before, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from places(inner, (*before, index))
    else:
        yield before


class TransformerConfig(ModelConfig):
    """What every transformer has; the widths of each layer are free, so that pruned ones load.

    Attributes
    ----------
    hidden_size, layers, heads, intermediate_size
        Width, number of layers, heads of attention, and inner width of the feed-forward layers.
    head_size
        Width of a head; None: ``hidden_size / heads``.
    layer_heads
        Heads of each layer, where they differ. Where several heads share keys and values: the number of those.
    inner_sizes
        Inner width of each layer's feed-forward part, where they differ.
    """

    hidden_size: int = Field(1, ge=1)
    layers: int = Field(1, ge=1)
    heads: int = Field(1, ge=1)
    intermediate_size: int = Field(1, ge=1)
    head_size: int | None = Field(None, ge=1)
    layer_heads: list[int] | None = None
    inner_sizes: list[int] | None = None

    @property
    def size_of_head(self) -> int:
        """Width of a head."""
        return self.head_size or self.hidden_size // self.heads

    def heads_of(self, layer: int) -> int:
        """Heads of a layer that have keys and values of their own."""
        return self.layer_heads[layer] if self.layer_heads else self.heads

    def inner_of(self, layer: int) -> int:
        """Inner width of a layer's feed-forward part."""
        return self.inner_sizes[layer] if self.inner_sizes else self.intermediate_size


def transformer_widths(config: TransformerConfig) -> Widths:
    """Heads and inner width of each layer, and the width of what they all add to.

    >>> config = TransformerConfig(hidden_size=8, layers=2, heads=4, intermediate_size=16)
    >>> transformer_widths(config).values
    {'layer_heads': [4, 4], 'inner_sizes': [16, 16], 'hidden_size': 8}
    """
    return Widths(
        {
            "layer_heads": [config.heads_of(layer) for layer in range(config.layers)],
            "inner_sizes": [config.inner_of(layer) for layer in range(config.layers)],
            "hidden_size": config.hidden_size,
        },
        fixed={"head_size": config.size_of_head},
        streams=("hidden_size",),
    )
