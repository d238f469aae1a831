"""Parameters that the training blocks share, and their way into :class:`TrainingOptions`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

from engine.learn.options import TrainingOptions
from engine.spec import BlockParams, param

_OPTIMISER = "Optimiser"
_AVERAGING = "Averaged weights"
_DEVICES = "Precision and devices"
_MEMORY = "Memory"
_STOPPING = "Stopping and checkpoints"
_NOT_OPTIONS = {"device", "precision", "memory_format", "compile"}


class TrainingParams(BlockParams):
    """How to train."""

    epochs: int = param(10, ge=1, le=100_000, help="Times that every example is seen", title="Epochs")
    batch_size: int = param(
        64, ge=1, le=65_536, help="Examples in one step; one that does not fit in memory is taken in parts",
        title="Batch size",
    )  # fmt: skip
    learning_rate: float = param(
        0.003, gt=0, le=100, help="Highest learning rate of the schedule", title="Learning rate"
    )
    recipe: Literal["standard", "fast"] = param(
        "standard",
        help="Fast: what speeds this kind of model up on this machine, for every setting that is at its default",
        title="Recipe",
    )
    optimizer: Literal["adamw", "sgd", "muon"] = param(
        "adamw",
        help="AdamW; stochastic gradient descent with Nesterov momentum (which wants a learning rate about 30 times "
        "as high); or Muon for the matrices of hidden layers and AdamW for the rest",
        title="Optimiser",
    )
    schedule: Literal["one_cycle", "cosine", "linear", "constant"] = param(
        "one_cycle",
        help="Learning rate over time: up and down along a cosine, down along a cosine or a line, or constant",
        title="Schedule",
    )
    find_learning_rate: bool = param(
        False,
        help="Look for the learning rate first, in up to 100 steps that are forgotten, and use it in place of the one "
        "given",
        title="Find the learning rate",
        advanced=True,
        group=_OPTIMISER,
    )
    warm_up: float = param(
        0.0,
        ge=0,
        le=1,
        help="Share of the steps in which the learning rate rises; 0: as the schedule has it",
        title="Warm-up",
        advanced=True,
        group=_OPTIMISER,
    )
    momentum: float = param(
        0.9,
        ge=0,
        lt=1,
        help="Momentum of SGD and Muon; for AdamW the first of its betas",
        title="Momentum",
        advanced=True,
        group=_OPTIMISER,
    )
    weight_decay: float = param(
        0.01,
        ge=0,
        le=10,
        help="Pull of the weights towards zero; biases and normalisation are left alone",
        title="Weight decay",
        advanced=True,
        group=_OPTIMISER,
    )
    bias_rate: float = param(
        1.0,
        gt=0,
        le=1000,
        help="What the learning rate of biases and normalisation is multiplied by",
        title="Rate of biases",
        advanced=True,
        group=_OPTIMISER,
    )
    gradient_clip: float = param(
        0.0,
        ge=0,
        help="Largest norm of the gradient; 0: it is not clipped",
        title="Gradient clip",
        advanced=True,
        group=_OPTIMISER,
    )
    averaging: Literal["none", "ema", "lookahead"] = param(
        "none",
        help="Evaluate and save an average of the weights: a moving one beside the training, or lookahead, which sets "
        "the training back to it",
        title="Averaging",
        advanced=True,
        group=_AVERAGING,
    )
    averaging_decay: float = param(
        0.99,
        gt=0,
        lt=1,
        help="What the average keeps in each step",
        title="Decay of the average",
        advanced=True,
        group=_AVERAGING,
    )
    averaging_steps: int = param(
        1,
        ge=1,
        le=10_000,
        unit="steps",
        help="Steps between two updates of the average",
        title="Averaging interval",
        advanced=True,
        group=_AVERAGING,
    )
    accumulation: int = param(
        1,
        ge=1,
        le=65_536,
        help="Parts that each batch goes through the network in; their gradients are added. Takes less memory",
        title="Gradient accumulation",
        advanced=True,
        group=_MEMORY,
    )
    split_batches: bool = param(
        True,
        help="Halve a batch that does not fit in memory until its parts do, instead of stopping",
        title="Split what does not fit",
        advanced=True,
        group=_MEMORY,
    )
    patience: int = param(
        0,
        ge=0,
        unit="epochs",
        help="Stop after so many epochs without a lower validation loss, and take the best weights; 0: never",
        title="Early stopping",
        advanced=True,
        group=_STOPPING,
    )
    checkpoint_steps: int = param(
        0,
        ge=0,
        unit="steps",
        help="Steps between checkpoints; 0: as often as costs at most 2 % of the time",
        title="Checkpoint interval",
        advanced=True,
        group=_STOPPING,
    )
    device: str = param(
        "auto",
        help="Where to train: auto takes the device of the run; else cpu, cuda, or the name of another one",
        title="Device",
        choices=["auto", "cpu", "cuda"],
        advanced=True,
        group=_DEVICES,
        max_length=40,
    )
    devices: int = param(
        1,
        ge=1,
        le=64,
        help="Processes that train together on each machine, one for each GPU; on the CPU they share its cores",
        title="Devices",
        advanced=True,
        group=_DEVICES,
    )
    nodes: int = param(
        1, ge=1, le=64, help="Machines that train together", title="Machines", advanced=True, group=_DEVICES
    )
    strategy: Literal["auto", "ddp", "fsdp"] = param(
        "auto",
        help="How several processes share the work: DDP gives each the whole model; FSDP a part of every weight, which "
        "takes less memory; auto takes DDP where the model fits",
        title="Strategy",
        advanced=True,
        group=_DEVICES,
    )
    precision: Literal["plan", "adaptive", "fp32", "tf32", "bf16", "fp16"] = param(
        "plan",
        help="What to compute in: adaptive takes the fastest that is safe and watches over it; plan takes that of the "
        "run, which is adaptive unless it says otherwise",
        title="Precision",
        advanced=True,
        group=_DEVICES,
    )
    memory_format: Literal["plan", "auto", "contiguous", "channels_last"] = param(
        "plan",
        help="How images lie in memory: channels last is faster for convolutions on many devices; plan takes that of "
        "the run",
        title="Memory format",
        advanced=True,
        group=_DEVICES,
    )
    compile: Literal["plan", "auto", "no", "yes"] = param(
        "plan",
        help="Compile the network first, which takes up to a minute; auto does it when the training earns it back; "
        "plan does as the run says",
        title="Compile",
        advanced=True,
        group=_DEVICES,
    )

    def options(self, **more: Any) -> TrainingOptions:
        """The same, as the training loop takes it."""
        known = {field.name for field in fields(TrainingOptions)}
        return TrainingOptions(**{**self.model_dump(include=known, exclude=_NOT_OPTIONS), **more})

    @property
    def left_open(self) -> list[str]:
        """Parameters at their default, which a recipe may set.

        >>> "epochs" in TrainingParams(epochs=3).left_open, "momentum" in TrainingParams(epochs=3).left_open
        (False, True)
        """
        fields = type(self).model_fields
        return [name for name, field in fields.items() if getattr(self, name) == field.default]

    @property
    def wishes(self) -> dict[str, Any]:
        """What the block asks of the run's plan: only what it does not leave to it.

        >>> TrainingParams(precision="bf16", compile="yes").wishes
        {'precision': 'bf16', 'compile': True}
        """
        compiles = {"auto": "auto", "no": False, "yes": True}
        found: dict[str, Any] = {}
        if self.device != "auto":
            found["device"] = self.device
        if self.precision != "plan":
            found["precision"] = self.precision
        if self.memory_format != "plan":
            found["memory_format"] = self.memory_format
        if self.compile != "plan":
            found["compile"] = compiles[self.compile]
        return found
