"""How a model is trained, in one frozen object: the training blocks make it, the loop reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OptimizerName = Literal["adamw", "sgd"]
ScheduleName = Literal["one_cycle", "cosine", "constant"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of a training run.

    Attributes
    ----------
    task
        Name of a task of :mod:`engine.learn.tasks`, such as ``"classification"``.
    epochs
        Times that every example is seen.
    learning_rate
        The highest that the schedule reaches.
    momentum
        Of SGD; for AdamW the first of its two betas.
    accumulation
        Parts that a batch is cut into; their gradients are added before the optimiser's step. Takes less memory.
    split_batches
        Cut a batch into smaller parts when it does not fit in memory, instead of stopping.
    gradient_clip
        Largest norm of the gradient over all weights; 0 leaves it alone.
    patience
        Stop after this many epochs without a lower validation loss and take the best weights; 0 never stops.
    checkpoint_steps
        Steps between checkpoints; 0 chooses a time that costs at most 2 % of the training.
    """

    task: str = "classification"
    epochs: int = 10
    batch_size: int = 64
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    schedule: ScheduleName = "one_cycle"
    label_smoothing: float = 0.0
    accumulation: int = 1
    split_batches: bool = True
    gradient_clip: float = 0.0
    patience: int = 0
    checkpoint_steps: int = 0
