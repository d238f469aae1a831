"""Prune a network once: rank, choose, cut, mend, count anew.

Called by the prune block, the search and whoever prunes in rounds. Training afterwards is the caller's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from engine.compress.macs import Counts, count
from engine.compress.prune.apply import cut
from engine.compress.prune.choose import Scope, choose, step_of
from engine.compress.prune.groups import Structure, shapes, structure, with_counts
from engine.compress.prune.importance import Importance, Loss, Scores, scores
from engine.compress.prune.mend import Moments, mend, read_moments
from engine.compress.recalibrate import recalibrate
from engine.errors import UserError
from engine.models import build

Examples = Sequence[Tensor | tuple[Tensor, Tensor]]
Ranking = Importance | Literal["measured"]
Cost = Callable[[Counts], int]

COMPARED = 256


@dataclass(frozen=True)
class Pruned:
    """A smaller network.

    Attributes
    ----------
    module
        In evaluation mode; it trains and saves like any other.
    config
        What builds it: ``build(architecture, config)``.
    ratios
        Name of a group of channels, neurons or heads -> share that went.
    importance
        What they were ranked by.
    """

    module: nn.Module
    config: dict[str, Any]
    ratios: dict[str, float]
    before: Counts = field(repr=False)
    after: Counts = field(repr=False)
    importance: Importance = "l1"

    @property
    def params_before(self) -> int:
        """Parameters of the network as it was."""
        return self.before.params

    @property
    def params_after(self) -> int:
        """Parameters that are left."""
        return self.after.params

    @property
    def macs_before(self) -> int:
        """Multiplications with additions for one example, as it was."""
        return self.before.macs

    @property
    def macs_after(self) -> int:
        """Multiplications with additions that are left."""
        return self.after.macs


def prune(
    module: nn.Module,
    spec_architecture: str,
    config: Mapping[str, Any],
    sample: Tensor,
    *,
    importance: Ranking = "l1",
    ratio: float = 0.3,
    scope: Scope = "global",
    round_to: int = 8,
    examples: Examples | None = None,
    loss: Loss = nn.functional.cross_entropy,
    streams: bool = True,
    mended: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Pruned:
    """Take out the channels, neurons and heads that matter least.

    Parameters
    ----------
    module
        Trained; left untouched.
    spec_architecture, config
        As in its ``model.json``.
    sample
        Inputs to count its work with, (B, ...).
    importance, loss
        See :func:`engine.compress.prune.importance.scores`. ``"measured"`` prunes by each of them and takes the network
        whose answers to the examples differ least from the original's.
    ratio
        Share of the channels that goes; 0 gives back the same network.
    scope, round_to
        See :func:`engine.compress.prune.choose.choose`.
    examples
        Batches of inputs, or of inputs with targets, which ``"taylor"`` needs. With them, what stays learns what the
        removed channels said (see :mod:`engine.compress.prune.mend`), and batch normalisation is counted anew.
    streams
        Whether the widths that several blocks add to, one after the other, may shrink too.
    mended
        False leaves the layers that read removed channels as they are.
    check
        Called often; may raise to stop.

    Raises
    ------
    UserError
        When the architecture has no free widths, a layer would be left without channels, or examples are missing.

    Examples
    --------
    >>> import torch
    >>> from engine.models import build
    >>> config = {"in_features": 4, "num_classes": 2, "hidden": [64, 32]}
    >>> small = prune(build("mlp", config), "mlp", config, torch.zeros(1, 4), ratio=0.5, scope="layer")
    >>> small.config["hidden"], small.params_before, small.params_after
    ([32, 16], 2466, 722)
    """
    pruning = Pruning(
        module, spec_architecture, config, sample,
        importance=importance, examples=examples, loss=loss, streams=streams, mended=mended, check=check,
    )  # fmt: skip
    return pruning.closest(lambda ranked: ranked.at(ratio, scope, round_to))


class Pruning:
    """A network whose units are ranked once, to be pruned by several ratios.

    Parameters
    ----------
    module, architecture, config, sample, importance, examples, loss, streams, mended, check
        As in :func:`prune`.
    counted
        Inputs that batch normalisation is counted anew on: changed at random where those of the training were, since
        the layers have learned with statistics of that kind. None: those of the examples.
    """

    def __init__(
        self,
        module: nn.Module,
        architecture: str,
        config: Mapping[str, Any],
        sample: Tensor,
        *,
        importance: Ranking = "l1",
        examples: Examples | None = None,
        loss: Loss = nn.functional.cross_entropy,
        counted: Sequence[Tensor] | None = None,
        streams: bool = True,
        mended: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.module, self.architecture, self.sample, self.check = module, architecture, sample, check
        self.found: Structure = structure(architecture, config)
        self.groups = [group for group in self.found.groups if streams or not group.is_stream]
        if not self.groups:
            raise UserError("The network has no channels that could go", field="model")
        self.importance, self.loss = importance, loss
        self.pairs = [batch for batch in examples or () if isinstance(batch, tuple)]
        self.inputs = [batch[0] if isinstance(batch, tuple) else batch for batch in examples or ()]
        self.counted = self.inputs if counted is None else list(counted)
        if importance == "measured" and not self.inputs:
            raise UserError(
                "Which importance is best can only be measured on examples",
                field="importance",
                hint="Connect the training data, or take the importance l1.",
            )
        ranked: Importance = "l1" if importance == "measured" else importance
        self.scores: Scores = self._scores(ranked)
        self.ranked: Importance = ranked
        self.before = count(module, sample)
        self.moments: dict[str, Moments] = read_moments(module, self.groups, self.inputs, check) if mended else {}

    def at(self, ratio: float, scope: Scope, round_to: int, *, finished: bool = True) -> Pruned:
        """The network pruned by one ratio.

        Parameters
        ----------
        finished
            False leaves out what changes only its answers, when its size and speed are asked for.
        """
        kept = self.chosen(ratio, scope, round_to)
        small, config = cut(self.module, self.architecture, self.found, kept)
        if kept and finished:
            mend(self.module, small, self.groups, kept, self.moments)
            recalibrate(small, self.counted, self.check)
        went = {
            group.name: 1 - len(kept[group.name]) / group.count if group.name in kept else 0.0 for group in self.groups
        }
        return Pruned(small, config, went, self.before, count(small, self.sample), self.ranked)

    def closest(self, make: Callable[[Pruning], Pruned], cost: Cost | None = None) -> Pruned:
        """What is made of this pruning; of a measured one, the closest to the original over all ways to rank.

        Parameters
        ----------
        make
            Prunes by the ranking that it is given, always to the same goal.
        cost
            What the goal counts: units are then also ranked by their importance for what they cost.
        """
        if self.importance != "measured":
            return make(self)
        made = [make(ranking) for ranking in self._rankings(cost)]
        return min(made, key=lambda small: self._error(small.module))

    @torch.no_grad()
    def _error(self, small: nn.Module) -> float:
        """Sum of squared changes of the answers; a batch at a time, since those of a language model are large."""
        seen, total = 0, 0.0
        for x in self.inputs:
            self.check()
            total += float((small(x).float() - self.module(x).float()).square().mean(0).sum()) * len(x)
            seen += len(x)
            if seen >= COMPARED:
                break
        return total

    def _rankings(self, cost: Cost | None) -> Iterator[Pruning]:
        """The same by every importance that this network and its examples allow, and by each for its cost."""
        costs = None if cost is None else self._costs(cost)
        for importance in get_args(Importance):
            try:
                found = self.scores if importance == self.ranked else self._scores(importance)
            except UserError:  # no normalisation, or no targets
                continue
            yield self._ranked_by(importance, found)
            if costs:
                yield self._ranked_by(importance, {name: values / costs[name] for name, values in found.items()})

    def _ranked_by(self, importance: Importance, found: Scores) -> Pruning:
        other = copy.copy(self)
        other.scores, other.ranked = found, importance
        return other

    def _costs(self, cost: Cost) -> dict[str, float] | None:
        """What one unit of each group costs, beside all of the network; None where that depends on values.

        Found by building the network with an eighth of one group's units less, without memory for its weights.
        """
        whole, found = cost(self.before), {}
        for group in self.groups:
            self.check()
            some = max(1, group.count // 8)
            if group.count == some:
                found[group.name] = 1 / self.before.params
                continue
            config = with_counts(self.found, {group.name: group.count - some})
            try:
                with torch.random.fork_rng([]), torch.device("meta"):
                    left = cost(count(build(self.architecture, config), self.sample))
            except (RuntimeError, NotImplementedError):
                return None
            found[group.name] = max((whole - left) / some / whole, 1e-9)
        return found

    def _scores(self, importance: Importance) -> Scores:
        return scores(self.module, self.groups, importance, self.pairs, self.loss, self.check)

    def chosen(self, ratio: float, scope: Scope, round_to: int) -> dict[str, Tensor]:
        """The units that stay of each group that shrinks."""
        return self._alike(choose(self.groups, self.scores, ratio, scope, round_to), round_to)

    def _alike(self, kept: dict[str, Tensor], round_to: int) -> dict[str, Tensor]:
        """The choice, changed by one step where it would change the kind of a shortcut.

        A shortcut of a residual network needs a convolution only while its two sides differ in width.
        """
        if not kept or self._has_same_layers(kept):
            return kept
        for group in self.groups:
            if group.name in kept:
                more = min(group.count, len(kept[group.name]) + step_of(group, round_to))
                order = self.scores[group.name].argsort(descending=True, stable=True)
                other = {**kept, group.name: order[:more].sort().values}
                if self._has_same_layers(other):
                    return other
        raise AssertionError(f"{self.architecture}: widths that differ make other layers; tie them in its declaration")

    def _has_same_layers(self, kept: Mapping[str, Tensor]) -> bool:
        config = with_counts(self.found, {name: len(units) for name, units in kept.items()})
        made = shapes(self.architecture, config)
        return made.keys() == shapes(self.architecture, self.found.config).keys()
