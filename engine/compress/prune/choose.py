"""Which units go: the least important ones, in numbers that the hardware likes, and never all of a layer.

Called by pruning. Must not know how importance is measured.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from torch import Tensor

from engine.compress.prune.groups import Group
from engine.errors import UserError

Scope = Literal["global", "layer"]
MOST = 0.9
"""The largest share of one group that a ranking over all groups may take."""


def choose(
    groups: Sequence[Group], scores: Mapping[str, Tensor], ratio: float, scope: Scope, round_to: int
) -> dict[str, Tensor]:
    """The units that stay.

    Parameters
    ----------
    scores
        Name of a group -> importance of its units. A group without scores stays whole.
    ratio
        Share of the channels that goes: of each group, or over all of them.
    scope
        ``"layer"``: the same share of every group. ``"global"``: the least important ones wherever they are, though
        from no group more than 90 %.
    round_to
        Channels that stay are a multiple of this, unless the group had fewer before. 1: any number.

    Returns
    -------
    dict
        Name -> int64, rising, for the groups that shrink.

    Raises
    ------
    UserError
        When a layer would be left without channels, or the ratio cannot be reached.

    Examples
    --------
    >>> import torch
    >>> from engine.compress.prune.groups import structure
    >>> groups = structure("mlp", {"in_features": 2, "num_classes": 2, "hidden": [4]}).groups
    >>> choose(groups, {"hidden.0": torch.tensor([3.0, 1.0, 2.0, 4.0])}, 0.5, "layer", 1)["hidden.0"].tolist()
    [0, 3]
    """
    if not 0 <= ratio < 1:
        raise UserError(
            "A ratio of {ratio} would leave the layers without channels",
            field="ratio",
            hint="Take a share from 0 to below 1, such as 0.3.",
            ratio=ratio,
        )
    ranked = [group for group in groups if group.name in scores]
    if not ratio:
        return {}
    counts = _per_layer(ranked, ratio, round_to) if scope == "layer" else _globally(ranked, scores, ratio, round_to)
    return {
        group.name: scores[group.name].argsort(descending=True, stable=True)[: counts[group.name]].sort().values
        for group in ranked
        if counts[group.name] < group.count
    }


def step_of(group: Group, round_to: int) -> int:
    """Units that go or stay together so that the channels are a multiple of ``round_to``.

    >>> from engine.compress.prune.groups import Slice
    >>> head = Group("layer_heads.0", (), 12, (Slice("q.weight", 0, 4),))
    >>> step_of(head, 8), step_of(head, 1)
    (2, 1)
    """
    return round_to // math.gcd(round_to, group.channels)


def _per_layer(groups: Sequence[Group], ratio: float, round_to: int) -> dict[str, int]:
    counts = {}
    for group in groups:
        wanted = group.count * (1 - ratio)
        if round(wanted) < 1:
            raise UserError(
                "A ratio of {ratio} would leave {layer} without channels: it has {count}",
                field="ratio",
                hint="Take a lower ratio, or let the channels be chosen over all layers.",
                ratio=ratio,
                layer=group.name,
                count=group.count,
            )
        step = step_of(group, round_to)
        counts[group.name] = min(group.count, max(step, step * round(wanted / step)))
    return counts


def _globally(groups: Sequence[Group], scores: Mapping[str, Tensor], ratio: float, round_to: int) -> dict[str, int]:
    """Take away the chunk of units that matters least, until enough channels are gone."""
    counts = {group.name: group.count for group in groups}
    by_name = {group.name: group for group in groups}
    rising = {name: scores[name].sort().values for name in counts}
    goal = ratio * sum(group.count * group.channels for group in groups)
    gone = 0
    heap: list[tuple[float, str, int]] = []

    def offer(name: str) -> None:
        """Put the next chunk of a group among those that may go."""
        group, left = by_name[name], counts[name]
        step = step_of(group, round_to)
        least = max(step, step * math.ceil(group.count * (1 - MOST) / step))
        size = (left - 1) % step + 1
        if left - size >= least:
            first = group.count - left
            heapq.heappush(heap, (float(rising[name][first : first + size].mean()), name, size))

    for name in counts:
        offer(name)
    while gone < goal:
        if not heap:
            raise UserError(
                "A ratio of {ratio} cannot be reached: at most {most} % of the channels can go",
                field="ratio",
                hint="Take a lower ratio, or round the channels to a smaller number.",
                ratio=ratio,
                most=math.floor(100 * gone / max(1.0, goal / ratio)),
            )
        _, name, size = heapq.heappop(heap)
        counts[name] -= size
        gone += size * by_name[name].channels
        offer(name)
    return counts
