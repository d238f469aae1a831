"""Parameters that the training blocks share, and their way into :class:`TrainingOptions`."""

from __future__ import annotations

from typing import Any, Literal

from engine.learn.options import TrainingOptions
from engine.spec import BlockParams, param


class TrainingParams(BlockParams):
    """How to train."""

    epochs: int = param(10, ge=1, le=100_000, help="Times that every example is seen", title="Epochs")
    batch_size: int = param(64, ge=1, le=65_536, help="Examples in one step", title="Batch size")
    learning_rate: float = param(
        0.003, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    optimizer: Literal["adamw", "sgd"] = param(
        "adamw",
        help="AdamW, or stochastic gradient descent with Nesterov momentum (which wants a learning rate about 30 times "
        "as high)",
        title="Optimiser",
    )
    schedule: Literal["one_cycle", "cosine", "constant"] = param(
        "one_cycle",
        help="Learning rate over time: up and down along a cosine, down along a cosine, or constant",
        title="Schedule",
    )
    momentum: float = param(
        0.9, ge=0, lt=1, help="Momentum of SGD; for AdamW the first of its betas", title="Momentum", advanced=True
    )
    weight_decay: float = param(
        0.01,
        ge=0,
        le=10,
        help="Pull of the weights towards zero; biases and normalisation are left alone",
        title="Weight decay",
        advanced=True,
    )
    gradient_clip: float = param(
        0.0, ge=0, help="Largest norm of the gradient; 0: it is not clipped", title="Gradient clip", advanced=True
    )
    patience: int = param(
        0,
        ge=0,
        unit="epochs",
        help="Stop after so many epochs without a lower validation loss, and take the best weights; 0: never",
        title="Early stopping",
        advanced=True,
    )
    device: Literal["auto", "cpu", "cuda"] = param(
        "auto", help="Where to train; auto takes the device of the run", title="Device", advanced=True
    )
    checkpoint_steps: int = param(
        0,
        ge=0,
        unit="steps",
        help="Steps between checkpoints; 0: as often as costs at most 2 % of the time",
        title="Checkpoint interval",
        advanced=True,
    )

    def options(self, **more: Any) -> TrainingOptions:
        """The same, as the training loop takes it."""
        return TrainingOptions(**{**self.model_dump(exclude={"device"}), **more})
