"""What goes into a training, how far it has come, and what comes out.

Called by the training loop and the training blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from torch import Tensor

from engine.learn.data.augment import Augmentation
from engine.learn.distil import Distillation
from engine.learn.distil.guide import Lesson
from engine.runtime.examples import Examples

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingData:
    """Examples with their targets.

    Attributes
    ----------
    targets
        int64 (N,) classes or float32 (N,) numbers, on the examples' device; None where ``derive`` makes them.
    augment
        Applied to raw pixels of training batches.
    derive
        Makes inputs and targets of a batch from its prepared inputs, for tasks without targets of their own.
    distillation
        The teacher to learn from beside the targets; None: there is none.
    """

    examples: Examples
    targets: Tensor | None
    augment: Augmentation | None = None
    derive: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None
    distillation: Distillation | None = None

    def batch(self, rows: Tensor, epoch: int = 0) -> tuple[Tensor, Tensor]:
        """Inputs of some rows as the network takes them in an epoch, and their targets."""
        return self._answered(self._raw(rows, epoch), rows)

    def lesson(self, rows: Tensor, epoch: int = 0) -> tuple[Tensor, Tensor, Lesson | None]:
        """A batch, and what the teacher needs to answer it."""
        raw = self._raw(rows, epoch)
        x, targets = self._answered(raw, rows)
        if self.distillation is None:
            return x, targets, None
        return x, targets, Lesson(rows, self.distillation.questions(rows, raw, self.augment is not None))

    def _raw(self, rows: Tensor, epoch: int) -> Tensor:
        raw = self.examples.take(rows)
        return raw if self.augment is None else self.augment(raw, rows, epoch)

    def _answered(self, raw: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        x = self.examples.prepare(raw)
        if self.derive is not None:
            return self.derive(x)
        assert self.targets is not None
        return x, self.targets[rows]

    def prepared(self) -> TrainingData:
        """The same, prepared once instead of in every batch, where nothing is drawn anew and memory allows it."""
        return self if self.augment is not None else replace(self, examples=self.examples.as_floats())


@dataclass
class State:
    """How far a training has come; JSON but for the weights."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    asked: int = 0
    seen: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: Weights | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "best_weights"}
        return {**kept, "history": [dict(numbers) for numbers in self.history]}


@dataclass(frozen=True)
class TrainingResult:
    """What came out; the trained weights are in the network.

    Attributes
    ----------
    history
        One mapping of metric to number for each epoch.
    metrics
        The numbers of the epoch whose weights were taken, and ``epochs``, ``best_epoch``, ``steps``.
    """

    history: list[dict[str, float]]
    metrics: dict[str, float]
