"""Losses of the last steps, read from the device in chunks.

Called by the training loop. Reading a number from a device makes the loop wait for it, so losses stay where they are
until enough of them have gathered or a tenth of a second has passed. Must not know what a step does.
"""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from engine.errors import UserError
from engine.spec import RunContext

CHUNK_STEPS = 64
CHUNK_SECONDS = 0.1
CHUNK_NUMBERS = 2**22


class StepLog:
    """Gathers losses and outputs; sends them as metrics.

    Attributes
    ----------
    loss_sum, correct, seen
        Sums over the current epoch, for its means. Up to date after :meth:`flush`.
    last_good
        The newest finite loss; None before the first.
    """

    def __init__(self, ctx: RunContext, counts_correct: bool) -> None:
        self._ctx = ctx
        self._counts_correct = counts_correct
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._targets: list[Tensor] = []
        self._rates: list[float] = []
        self._numbers = 0
        self._first_step = 0
        self._flushed_at = time.monotonic()
        self.last_good: float | None = None
        self.start_epoch()

    def start_epoch(self) -> None:
        """Begin new sums."""
        self.loss_sum, self.correct, self.seen = 0.0, 0, 0

    def add(self, step: int, loss: Tensor, outputs: Tensor, targets: Tensor, learning_rate: float) -> None:
        """Gather one step; nothing is read yet."""
        if not self._losses:
            self._first_step = step
        self._losses.append(loss.detach())
        self._outputs.append(outputs.detach())
        self._targets.append(targets)
        self._rates.append(learning_rate)
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
        """Read what was gathered and log it.

        Raises
        ------
        UserError
            When a loss is not a finite number.
        """
        self._flushed_at = time.monotonic()
        if not self._losses:
            return
        losses = torch.stack(self._losses).tolist()
        sizes = [len(targets) for targets in self._targets]
        if self._counts_correct:
            guesses = torch.cat(self._outputs).argmax(1)
            self.correct += int((guesses == torch.cat(self._targets)).sum())
        for offset, (loss, rate, size) in enumerate(zip(losses, self._rates, sizes, strict=True)):
            step = self._first_step + offset
            if not math.isfinite(loss):
                raise self._not_finite(step, loss, rate)
            self._ctx.metric("loss", loss, step)
            self._ctx.metric("learning_rate", rate, step)
            self.loss_sum += loss * size
            self.seen += size
            self.last_good = loss
        self._losses, self._outputs, self._targets, self._rates = [], [], [], []
        self._numbers = 0

    def _not_finite(self, step: int, loss: float, rate: float) -> UserError:
        hint = "Lower the learning rate (it was {learning_rate}, try {lower}), or clip the gradient."
        values: dict[str, Any] = {
            "step": step,
            "loss": str(loss),
            "learning_rate": f"{rate:.3g}",
            "lower": f"{rate / 10:.1g}",
        }
        if self.last_good is None:
            return UserError(
                "The loss is {loss} at step {step}, the first one",
                field="learning_rate",
                hint="Look for missing or very large numbers in the data, or lower the learning rate.",
                **values,
            )
        return UserError(
            "The loss became {loss} at step {step}; the last good loss was {last_good}",
            field="learning_rate", hint=hint, last_good=f"{self.last_good:.4g}", **values,
        )  # fmt: skip
