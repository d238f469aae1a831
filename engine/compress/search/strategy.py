"""What a search tries next, from what it has tried.

Called by the search. A pure function of the past, so that a search that was stopped goes on where it was. In order:
whole numbers without training, since they cost seconds; where these lose too much, the same with the most sensitive
layers in floats, and trained; then ever more channels removed, each network from the one before, so that no training is
lost, and between the most that was good enough and the least that was not once there is one; then weights of four bits.
Must not know how any of this is done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.compress.search.front import Point, Target

Numbers = Literal["fp32", "int8", "qat", "dynamic", "int4", "mixed"]

FIRST_RATIO = 0.5
"""Also what each further step takes of what is left, until one was too much."""
LARGEST_RATIO = 0.97
NARROWEST = 1.3
"""Networks that differ by less than this in what is left of them are not told apart."""
NEAR = 3.0
"""Times the drop that is allowed: what loses more is not brought back by more training."""
KEPT = (1, 3, 6)
"""How many of the most sensitive layers are tried in floats."""


@dataclass(frozen=True)
class Recipe:
    """How a candidate is made of the original.

    Attributes
    ----------
    ratio
        Share of the work that goes with the channels removed; of the parameters, where size is what counts.
    numbers
        What it computes with.
    kept
        How many of the most sensitive layers stay in floats.
    again
        How often what was pruned is trained once more.
    """

    ratio: float = 0.0
    numbers: Numbers = "int8"
    kept: int = 0
    again: int = 0

    @property
    def network(self) -> str:
        """The network before its numbers are rounded.

        >>> Recipe(0.25).network, Recipe(0.25, again=1).network
        ('prune 25%', 'prune 25% (2)')
        """
        return f"prune {self.ratio:.0%}" + (f" ({self.again + 1})" if self.again else "")

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, in order.

        >>> Recipe(0.25, "qat").steps
        ('prune 25%', 'recalibrate', 'distil', 'qat', 'int8')
        """
        shrunk = (f"prune {self.ratio:.0%}", "recalibrate", *(1 + self.again) * ("distil",)) if self.ratio else ()
        numbers = ("qat", "int8") if self.numbers == "qat" else () if self.numbers == "fp32" else (self.numbers,)
        return (*shrunk, *numbers, *((f"{self.kept} in fp32",) if self.kept else ()))

    @property
    def name(self) -> str:
        """Short and unique.

        >>> Recipe(0.25, "qat").name, Recipe(kept=2).name, Recipe(numbers="fp32").name
        ('prune 25% + qat int8', 'int8, 2 in fp32', 'fp32')
        """
        numbers = "qat int8" if self.numbers == "qat" else self.numbers
        shown = f"{self.network} + {numbers}" if self.ratio else numbers
        return f"{shown}, {self.kept} in fp32" if self.kept else shown

    @property
    def trains(self) -> bool:
        """True when it needs a training."""
        return self.ratio > 0 or self.numbers == "qat"


@dataclass(frozen=True)
class Tried:
    """A recipe and what came of it."""

    recipe: Recipe
    point: Point


@dataclass(frozen=True)
class Means:
    """What may be tried.

    Attributes
    ----------
    numbers
        Kinds of numbers that fit the model, the most promising first.
    prunes
        True when channels can be removed and the rest trained.
    max_drop
        Accuracy that may be lost, as a share.
    candidates
        How many recipes at most.
    """

    target: Target
    numbers: tuple[Numbers, ...]
    prunes: bool
    max_drop: float = 0.005
    candidates: int = 12


def next_recipe(tried: Sequence[Tried], means: Means) -> Recipe | None:
    """The recipe to try; None when nothing promising is left.

    Examples
    --------
    >>> next_recipe([], Means("latency", ("int8",), prunes=True)).name
    'int8'
    """
    if len(tried) >= means.candidates:
        return None
    known = {one.recipe for one in tried}
    for recipe in (*_cheap(means), *_repaired(tried, means), *_pruned(tried, means), *_small(tried, means)):
        if recipe not in known:
            return recipe
    return None


def _cheap(means: Means) -> list[Recipe]:
    """Without training, in seconds."""
    return [Recipe(numbers=numbers) for numbers in means.numbers if numbers in ("int8", "dynamic")]


def _repaired(tried: Sequence[Tried], means: Means) -> list[Recipe]:
    """What may help where INT8 alone loses too much: one step at a time, until one is good enough."""
    plain = _of(tried, Recipe())
    if plain is None or plain.reason != "accuracy":
        return []
    options = [Recipe(kept=count) for count in KEPT]
    if "qat" in means.numbers:
        options.append(Recipe(numbers="qat"))
    for option in options:
        found = _of(tried, option)
        if found is None:
            return [option]
        if found.status == "kept":
            return []
    return []


def _pruned(tried: Sequence[Tried], means: Means) -> list[Recipe]:
    """More than the largest ratio that was good enough, and less than the smallest that was not."""
    if not means.prunes:
        return []
    base = best_whole(tried)
    plain = [one for one in tried if one.recipe.ratio and one.recipe.numbers == base.numbers]
    good = {one.recipe.ratio for one in plain if one.point.status == "kept"}
    bad = {one.recipe.ratio for one in plain} - good
    low, high = max(good, default=0.0), min(bad, default=1.0)
    if bad and _is_near(tried, base, high, means.max_drop):
        # The training may have been too short, or rounding what cost too much: at the ratio nearest to good.
        options = [replace(base, ratio=high, again=1)]
        if base.numbers == "int8" and "qat" in means.numbers:
            options.append(replace(base, ratio=high, numbers="qat", again=1))
        for option in options:
            if _of(tried, option) is None:
                return [option]
    if not bad:
        ratio = round(low + FIRST_RATIO * (1 - low), 2)
        return [] if ratio > LARGEST_RATIO else [replace(base, ratio=ratio)]
    middle = 1 - math.sqrt((1 - low) * (1 - high))
    return [] if (1 - low) / (1 - high) < NARROWEST**2 else [replace(base, ratio=round(middle, 2))]


def _is_near(tried: Sequence[Tried], base: Recipe, ratio: float, max_drop: float) -> bool:
    """True when a pruned network came close to losing no more than allowed."""
    whole, small = _of(tried, base), _of(tried, replace(base, ratio=ratio))
    if whole is None or small is None or small.reason != "accuracy":
        return False
    return whole.accuracy - small.accuracy <= NEAR * max_drop


def _small(tried: Sequence[Tried], means: Means) -> list[Recipe]:
    """Weights of four bits, on what was pruned most: smaller, and seldom faster."""
    order: tuple[Numbers, ...] = ("mixed", "int4")
    if means.target != "size":
        return []
    kept = [one.recipe for one in tried if one.point.status == "kept"]
    most = max(kept, key=lambda one: (one.ratio, one.again), default=Recipe())
    return [Recipe(most.ratio, numbers, again=most.again) for numbers in order if numbers in means.numbers]


def best_whole(tried: Sequence[Tried]) -> Recipe:
    """The fastest recipe without pruning that was good enough: pruned networks compute as it does."""
    fast = ("int8", "qat", "dynamic")
    good = [one for one in tried if one.point.status == "kept" and not one.recipe.ratio and one.recipe.numbers in fast]
    return min(good, key=lambda one: one.point.latency_ms).recipe if good else Recipe(numbers="fp32")


def _of(tried: Sequence[Tried], recipe: Recipe) -> Point | None:
    return next((one.point for one in tried if one.recipe == recipe), None)
