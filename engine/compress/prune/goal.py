"""What is wanted of pruning in rounds, what comes out, and how a round speaks to the run.

Called by :mod:`engine.compress.prune.rounds` and the prune block.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from engine.artifacts import ModelRef
from engine.compress.prune.choose import Scope
from engine.compress.prune.method import Ranking
from engine.compress.prune.target import Target
from engine.spec import RunContext


@dataclass(frozen=True)
class Wanted:
    """What is to be pruned, and how.

    Attributes
    ----------
    target
        ``"ratio"``: a share of the channels goes; else what is to be brought down, see
        :mod:`engine.compress.prune.target`.
    remaining
        The share of it that may be left; of the channels: one minus the ratio.
    rounds
        Steps to get there, each with its training.
    examples
        Examples that units are ranked by, layers mended with and batch normalisation counted on.
    max_drop
        Accuracy that may be lost on the examples set aside; None: any.
    importance, scope, round_to, streams, mended
        As in :func:`engine.compress.prune.prune`.
    """

    target: Literal["ratio"] | Target
    remaining: float
    rounds: int
    examples: int
    max_drop: float | None
    importance: Ranking
    scope: Scope
    round_to: int
    streams: bool
    mended: bool


@dataclass(frozen=True)
class Outcome:
    """A pruned model, or the original where that is better.

    Attributes
    ----------
    layers
        Name of a group of channels, neurons or heads -> how many there were and are.
    report
        As in :func:`engine.compress.prune.outcome.compared`, and ``kept_original``.
    """

    model: ModelRef
    layers: dict[str, tuple[int, int]]
    report: dict[str, float]


class RoundContext:
    """A run's context for the training of one round: its steps go on where the last round's ended.

    Parameters
    ----------
    ctx
        The block's own; what is not changed here goes there.
    number, count
        Of the round, from 0, and of all.
    steps
        Steps of training before this round.
    """

    def __init__(self, ctx: RunContext, number: int, count: int, steps: int) -> None:
        self._ctx, self._number, self._count, self._steps = ctx, number, count, steps
        self.workdir: Path = ctx.workdir / f"round{number + 1}"
        self.workdir.mkdir(parents=True, exist_ok=True)

    def metric(self, name: str, value: float, step: int) -> None:
        """Log one point, behind those of the rounds before."""
        self._ctx.metric(name, value, self._steps + step)

    def progress(self, done: float, total: float, unit: str = "epochs", eta_s: float | None = None) -> None:
        """Tell how far all rounds are."""
        self._ctx.progress(self._number * total + done, self._count * total, unit, eta_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)
