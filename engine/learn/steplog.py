"""Losses of the last steps, read from the device in chunks.

Called by the training loop. Reading a number from a device makes the loop wait for it, so losses stay where they are
until enough of them have gathered or a tenth of a second has passed. Must not know what a step does.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from engine.compute.world import ALONE, World
from engine.learn.state import State
from engine.learn.tasks import Task
from engine.spec import RunContext

CHUNK_STEPS = 64
CHUNK_SECONDS = 0.1
CHUNK_NUMBERS = 2**22


class StepLog:
    """Gathers losses and outputs; sends them as metrics.

    Attributes
    ----------
    loss_sum, correct, asked, seen
        Sums over the current epoch, for its means: losses, right answers, all answers, examples. Up to date after
        :meth:`flush`.
    """

    def __init__(self, ctx: RunContext, task: Task, world: World = ALONE) -> None:
        self._ctx, self._world = ctx, world
        self._task = task
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._right: list[Tensor] = []
        self._asked: list[Tensor | int] = []
        self._sizes: list[int] = []
        self._rates: list[float] = []
        self._numbers = 0
        self._steps: list[int] = []
        self._flushed_at = time.monotonic()
        self._sent = 0
        self.start_epoch()

    def start_epoch(self) -> None:
        """Begin new sums."""
        self.loss_sum, self.correct, self.asked, self.seen = 0.0, 0, 0, 0

    def add(self, step: int, loss: Tensor, outputs: Tensor, targets: Tensor, learning_rate: float) -> None:
        """Gather one step; nothing is read yet."""
        self._steps.append(step)
        self._losses.append(loss.detach())
        self._sizes.append(targets.size(0))
        self._asked.append(self._task.asked(targets))
        self._rates.append(learning_rate)
        if not self._task.has_accuracy:
            return
        if outputs.ndim > 2:  # too large to keep: an answer for each token
            self._right.append(self._task.right(outputs.detach(), targets))
            return
        self._outputs.append(outputs.detach())
        self._targets.append(targets)
        self._numbers += outputs.numel()

    @property
    def due(self) -> bool:
        """True when it is time to read."""
        return (
            len(self._losses) >= CHUNK_STEPS
            or self._numbers >= CHUNK_NUMBERS
            or time.monotonic() - self._flushed_at >= CHUNK_SECONDS
        )

    def flush(self) -> None:
        """Read what was gathered and log it."""
        self._flushed_at = time.monotonic()
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        if self._outputs:
            self._right.append(self._task.right(torch.cat(self._outputs), torch.cat(self._targets)))
        right = int(torch.stack(self._right).sum()) if self._right else 0
        right, seen, *counts = self._everywhere(right, sum(self._sizes), *map(int, self._asked))
        self.correct += right
        self.seen += seen
        for step, loss, rate, asked in zip(self._steps, losses, self._rates, counts, strict=True):
            if step > self._sent:  # else: a step that was replayed
                self._ctx.metric("loss", loss, step)
                self._ctx.metric("learning_rate", rate, step)
                self._sent = step
            self.loss_sum += loss * asked
            self.asked += asked
        self._clear()

    def _everywhere(self, *counts: int) -> list[int]:
        """Counts of all processes together; losses are told for all already."""
        return list(counts) if self._world.is_single else self._world.sum(torch.tensor(counts)).tolist()

    def discard(self, step: int) -> None:
        """Forget what was gathered of the steps behind one: the training was put back to it."""
        assert not [known for known in self._steps if known <= step]
        self._clear()

    def put_sums(self, state: State) -> None:
        """Write the sums of the epoch into a state."""
        state.loss_sum, state.correct, state.asked, state.seen = self.loss_sum, self.correct, self.asked, self.seen

    def take_sums(self, state: State) -> None:
        """Go on from the sums of a state."""
        self.loss_sum, self.correct, self.asked, self.seen = state.loss_sum, state.correct, state.asked, state.seen

    def _clear(self) -> None:
        self._steps, self._losses, self._outputs, self._targets, self._rates = [], [], [], [], []
        self._right, self._asked, self._sizes, self._numbers = [], [], [], 0
