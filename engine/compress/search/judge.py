"""How good a candidate is: on held-out examples that no candidate learns from.

Called by the search. What ranks candidates must not be what reports on the winner: where there are enough examples,
half of them only refuse what was good on the other half by luck, and report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.learn.state import TrainingData
from engine.learn.tasks import Task

AT_ONCE = 64
SHARED_BELOW = 600
"""With fewer examples than this, the same ones choose and report."""
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Verdict:
    """How well something answers.

    Attributes
    ----------
    accuracy
        Share of right answers; for numbers, the share of their variance that is explained.
    right, asked
        The counts behind it; 0 for numbers.
    """

    accuracy: float
    right: int = 0
    asked: int = 0


class Judge:
    """Asks candidates.

    Parameters
    ----------
    data
        Held-out examples with their truth, on the CPU.
    seed
        Of which examples choose.
    most
        How many examples choose at most; None: half of them, or all where they are few.
    """

    def __init__(self, data: TrainingData, task: Task, *, seed: int, most: int | None = None) -> None:
        self._data, self._task = data, task
        order = torch.randperm(len(data.examples), generator=torch.Generator().manual_seed(seed))
        self.is_shared = len(order) < SHARED_BELOW
        half = len(order) if self.is_shared else len(order) // 2
        self.choosing = order[: min(half, most or half)]
        self.reporting = self.choosing if self.is_shared else order[half:]

    def inputs(self, count: int) -> Tensor:
        """Some inputs as the network takes them: (count, ...)."""
        return self._data.batch(self.choosing[:count])[0]

    def choose(self, run: Run, check: Callable[[], None] = lambda: None, most: int | None = None) -> Verdict:
        """How well ``run``, from inputs (B, ...) to outputs, answers the examples that choose; ``most`` of them."""
        return self._ask(run, self.choosing[:most], check)

    def report(self, run: Run, check: Callable[[], None] = lambda: None, most: int | None = None) -> Verdict:
        """The same with the examples that rank nothing."""
        return self._ask(run, self.reporting[:most], check)

    @torch.inference_mode()
    def _ask(self, run: Run, rows: Tensor, check: Callable[[], None]) -> Verdict:
        right, asked = 0, 0
        truth: list[Tensor] = []
        answers: list[Tensor] = []
        for part in torch.split(rows, AT_ONCE):
            check()
            x, targets = self._data.batch(part)
            outputs = run(x).float()
            if self._task.has_accuracy:
                right += int(self._task.right(outputs, targets))
                asked += int(self._task.asked(targets))
            else:
                truth.append(targets.float().reshape(-1))
                answers.append(outputs.reshape(-1))
        if not truth:
            return Verdict(right / max(1, asked), right, asked)
        true, found = torch.cat(truth), torch.cat(answers)
        spread = (true - true.mean()).square().sum().clamp(min=1e-12)
        return Verdict(float(1 - (true - found).square().sum() / spread))
