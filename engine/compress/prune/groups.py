"""What has to shrink together: every free width of a network, and the slices of weights that hang on it.

Called by pruning. The configuration of a network is its dependency graph: two networks that differ in their widths are
built without memory for their weights, and their shapes compared. So residual sums, filters of single channels, heads,
experts and embeddings are found alike, without tracing, and a group names the number of the configuration that shrinks.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engine.errors import UserError
from engine.models import build, find
from engine.models.registry import read_config
from engine.models.widths import Place, places

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Slice:
    """One side of a tensor.

    Attributes
    ----------
    tensor
        Its name in the network's state.
    side
        Which one: 0 is the first.
    block
        Numbers in a row that belong to one unit, such as all channels of a head.
    """

    tensor: str
    side: int
    block: int


@dataclass(frozen=True)
class Group:
    """Units that can be taken out one by one: channels, neurons, heads.

    Attributes
    ----------
    name
        Its first place in the configuration, written with points: ``"inner_widths.0.1"``.
    places
        Where its number of units stands in the configuration.
    count
        Units.
    slices
        What shrinks with it.
    is_stream
        True: several blocks add to it, one after the other.
    """

    name: str
    places: tuple[Place, ...]
    count: int
    slices: tuple[Slice, ...]
    is_stream: bool = False

    @property
    def channels(self) -> int:
        """Numbers in one unit, where they are fewest."""
        return min(part.block for part in self.slices)


@dataclass(frozen=True)
class Structure:
    """A network's groups, and its configuration with every free width written out."""

    config: dict[str, Any]
    groups: tuple[Group, ...]


def structure(architecture: str, config: Mapping[str, Any]) -> Structure:
    """The groups of an architecture.

    Parameters
    ----------
    config
        As in ``model.json``.

    Raises
    ------
    UserError
        When this architecture has no free widths, such as a module of the user's own.

    Notes
    -----
    What it finds is what G. Fang et al., "DepGraph: towards any structural pruning", CVPR 2023, find by tracing; the
    way is another.

    Examples
    --------
    >>> found = structure("mlp", {"in_features": 4, "num_classes": 2, "hidden": [8, 6]})
    >>> [(group.name, group.count) for group in found.groups]
    [('hidden.0', 8), ('hidden.1', 6)]
    >>> found.groups[1].slices[-1]
    Slice(tensor='head.weight', side=1, block=1)
    """
    known = find(architecture)
    if known.widths is None:
        raise UserError(
            "The channels of a {name} cannot be pruned: its widths are not part of its configuration",
            field="model",
            hint="Take one of the networks in the palette; quantisation works for every network.",
            name=architecture.removeprefix("wrapped:").split("-")[0],
        )
    checked = read_config(known, config)
    free = known.widths(checked)
    # By way of text: lists that are one object become several.
    written = json.loads(json.dumps({**checked.model_dump(), **free.values, **free.fixed}))
    joined = _joined(list(places(free.values)), free.tied)
    found = _slices(architecture, written, joined)
    groups = [
        Group(
            _name(together),
            together,
            number_at(written, together[0]),
            tuple(parts),
            any(place[0] in free.streams for place in together),
        )
        for together, parts in zip(joined, found, strict=True)
        if parts
    ]
    return Structure(written, tuple(groups))


def with_counts(found: Structure, counts: Mapping[str, int]) -> dict[str, Any]:
    """The configuration with other numbers of units.

    Parameters
    ----------
    counts
        Name of a group -> its units; a group that is not named stays.
    """
    config = copy.deepcopy(found.config)
    for group in found.groups:
        for place in group.places:
            _set(config, place, counts.get(group.name, group.count))
    return config


def shapes(architecture: str, config: Mapping[str, Any]) -> Shapes:
    """Name -> sides of every tensor of a network, which is not given memory."""
    with torch.random.fork_rng([]), torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build(architecture, config).state_dict().items()}


def number_at(config: Mapping[str, Any], place: Place) -> int:
    """The number at a place.

    >>> number_at({"a": [[1, 2]]}, ("a", 0, 1))
    2
    """
    value: Any = config
    for step in place:
        value = value[step]
    return int(value)


def _joined(every: Sequence[Place], tied: Sequence[Sequence[Place]]) -> list[tuple[Place, ...]]:
    """Places that hold one number together, in order; ties that overlap are one."""
    sets = [{place} for place in every]
    for together in tied:
        touched = [part for part in sets if part & set(together)]
        sets = [part for part in sets if part not in touched] + [set().union(*touched)]
    order = {place: index for index, place in enumerate(every)}
    return sorted((tuple(sorted(part, key=order.__getitem__)) for part in sets), key=lambda part: order[part[0]])


def _slices(architecture: str, config: Mapping[str, Any], joined: Sequence[tuple[Place, ...]]) -> Iterator[list[Slice]]:
    """The slices of each group.

    Group ``g`` (from 1) grows once by ``g`` and once by ``g * g`` units: what hangs on it grows by ``block * g`` and by
    ``block * g * g`` numbers, so both can be read off.
    """
    base = shapes(architecture, config)
    once, twice = (shapes(architecture, _grown(config, joined, power)) for power in (1, 2))
    if not base.keys() == once.keys() == twice.keys():
        raise AssertionError(f"{architecture}: widths that differ make other layers; tie them in its declaration")
    found: list[list[Slice]] = [[] for _ in joined]
    for name, sides in base.items():
        for side, size in enumerate(sides):
            first, second = once[name][side] - size, twice[name][side] - size
            if not first:
                continue
            number = second // first
            block = first // number
            if number * first != second or size != block * number_at(config, joined[number - 1][0]):
                raise AssertionError(f"{architecture}: side {side} of {name} hangs on several widths")
            found[number - 1].append(Slice(name, side, block))
    yield from found


def _grown(config: Mapping[str, Any], joined: Sequence[tuple[Place, ...]], power: int) -> dict[str, Any]:
    grown = copy.deepcopy(dict(config))
    for number, together in enumerate(joined, start=1):
        for place in together:
            _set(grown, place, number_at(grown, place) + number**power)
    return grown


def _set(config: dict[str, Any], place: Place, value: int) -> None:
    inner: Any = config
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value


def _name(together: tuple[Place, ...]) -> str:
    return ".".join(str(step) for step in together[0])
