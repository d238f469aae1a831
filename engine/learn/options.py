"""How a model is trained, in one frozen object: the training blocks make it, the loop reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.learn.distil.options import DistilOptions
from engine.learn.precision.options import PrecisionOptions

OptimizerName = Literal["adamw", "sgd", "muon"]
ScheduleName = Literal["one_cycle", "cosine", "linear", "constant"]
AveragingName = Literal["none", "ema", "lookahead"]
StrategyName = Literal["auto", "ddp", "fsdp"]
RecipeName = Literal["standard", "fast"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of a training run.

    Attributes
    ----------
    task
        Name of a task of :mod:`engine.learn.tasks`, such as ``"classification"``.
    epochs
        Times that every example is seen.
    batch_size
        Examples in one step of the optimiser.
    learning_rate
        The highest that the schedule reaches.
    momentum
        Of SGD and Muon; for AdamW the first of its two betas.
    bias_rate
        What the learning rate of biases and normalisation is multiplied by.
    warm_up
        Share of the steps in which the learning rate rises; 0: as the schedule has it.
    mixup, cutmix
        Alpha of the mixture of two examples; 0: none. See :mod:`engine.learn.data.mixing`.
    averaging, averaging_decay, averaging_steps
        Which average of the weights is taken, what it keeps in a step, and steps between two updates. See
        :mod:`engine.learn.optim.ema`.
    alternating_flip
        Mirror each image in every other epoch instead of by chance.
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
    watch
        How the precision is watched over.
    devices, nodes
        Processes on each machine, and machines: see :mod:`engine.learn.ranks`.
    strategy
        How several processes share the work: see :mod:`engine.learn.parallel`.
    hang_s
        Silence after which a process counts as hanging; 0: half a minute, and more for slow steps.
    distil
        How a teacher is followed, where there is one.
    recipe
        ``"fast"``: :func:`engine.learn.recipes.resolved` fills in what is at its default.
    find_learning_rate
        Look for the learning rate first; see :mod:`engine.learn.optim.finder`.
    """

    task: str = "classification"
    epochs: int = 10
    batch_size: int = 64
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-2
    bias_rate: float = 1.0
    schedule: ScheduleName = "one_cycle"
    warm_up: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    averaging: AveragingName = "none"
    averaging_decay: float = 0.99
    averaging_steps: int = 1
    alternating_flip: bool = False
    accumulation: int = 1
    split_batches: bool = True
    gradient_clip: float = 0.0
    patience: int = 0
    checkpoint_steps: int = 0
    watch: PrecisionOptions = PrecisionOptions()
    recipe: RecipeName = "standard"
    find_learning_rate: bool = False
    devices: int = 1
    nodes: int = 1
    strategy: StrategyName = "auto"
    hang_s: float = 0.0
    distil: DistilOptions = DistilOptions()
