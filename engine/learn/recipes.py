"""Recipes: settings that go well together, for everything that is left at its default.

Called by :mod:`engine.learn.here`, which knows the model and the data. Each entry has a row in ``benchmarks/training.py
--effects``, which measures what it brings.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from torch import nn

from engine.learn.options import TrainingOptions

LEAST_STEPS_PER_EPOCH = 32
LARGEST_BATCH = 1024


def resolved(options: TrainingOptions, module: nn.Module, count: int, left_open: Collection[str]) -> TrainingOptions:
    """Options with the recipe filled in.

    Parameters
    ----------
    count
        Examples to learn from.
    left_open
        Names of options that nobody chose: only those are set.

    Examples
    --------
    >>> fast = TrainingOptions(recipe="fast", epochs=5)
    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    >>> taken = resolved(fast, network, 50_000, {"optimizer", "batch_size"})
    >>> taken.optimizer, taken.batch_size, taken.learning_rate
    ('sgd', 1024, 0.001)
    """
    if options.recipe == "standard":
        return options
    wanted = {**_shared(options), **(_convolutions(count) if _is_convolutional(module) else _others())}
    own = getattr(module, "fast_recipe", None)
    if own is not None:  # a network may know best
        wanted |= own(wanted["batch_size"] if "batch_size" in left_open else options.batch_size)
    return replace(options, **{name: value for name, value in wanted.items() if name in left_open})


def _shared(options: TrainingOptions) -> dict[str, Any]:
    """One cycle of the rate; an average of the weights that follows more slowly the longer the training is."""
    wanted: dict[str, Any] = {"schedule": "one_cycle", "alternating_flip": True}
    if options.task == "classification":
        wanted["label_smoothing"] = 0.1
    return wanted


def _convolutions(count: int) -> dict[str, Any]:
    """SGD with Nesterov momentum and lookahead, in large batches, for networks that normalise by batches.

    K. Jordan, "94 % on CIFAR-10 in 3.29 seconds on a single GPU", 2024, sections 3.3 to 3.6: the rate rises for a
    fifth of the steps, biases learn faster, and the network is set to its average every 5 steps. The rate goes with
    the root of the batch (A. Krizhevsky, "One weird trick", 2014, section 5).
    """
    batch = _batch(count)
    return {
        "optimizer": "sgd",
        "batch_size": batch,
        "learning_rate": 0.1 * (batch / 128) ** 0.5,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "bias_rate": 4.0,
        "warm_up": 0.2,
        "averaging": "lookahead",
        "averaging_decay": 0.95,
        "averaging_steps": 5,
    }


def _others() -> dict[str, Any]:
    """AdamW and a moving average, for transformers, tables and texts."""
    return {
        "optimizer": "adamw",
        "warm_up": 0.1,
        "gradient_clip": 1.0,
        "averaging": "ema",
        "averaging_decay": 0.98,
        "averaging_steps": 1,
    }


def _batch(count: int) -> int:
    """The largest power of two up to 1024 that leaves 32 steps in an epoch, but at least 16."""
    batch = LARGEST_BATCH
    while batch > 16 and count // batch < LEAST_STEPS_PER_EPOCH:
        batch //= 2
    return batch


def _is_convolutional(module: nn.Module) -> bool:
    layers = list(module.modules())
    return any(isinstance(layer, nn.Conv2d) for layer in layers) and any(
        isinstance(layer, nn.BatchNorm2d) for layer in layers
    )
