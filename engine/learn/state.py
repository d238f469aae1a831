"""What goes into a training, how far it has come, and what comes out.

Called by the training loop and the training blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from engine.runtime.examples import Examples

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingData:
    """Examples with their targets.

    Attributes
    ----------
    targets
        int64 (N,) classes or float32 (N,) numbers, on the examples' device.
    augment
        Applied to raw pixels of training batches.
    """

    examples: Examples
    targets: Tensor
    augment: Callable[[Tensor], Tensor] | None = None


@dataclass
class State:
    """How far a training has come; JSON but for the weights."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_weights: Weights | None = None

    def to_json(self) -> dict[str, Any]:
        """All but the weights."""
        return {key: value for key, value in asdict(self).items() if key != "best_weights"}


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
