"""The learning-rate finder: a short training whose rate rises until the loss does.

Called by the block ``train.learning_rate_finder`` and by trainings that ask for their rate. The network, its running
statistics and the random generators are put back, so nothing of it stays.

Source: L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3; the suggestion is
the steepest place of the smoothed curve, as in J. Howard, S. Gugger, "fastai", 2020.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from engine.errors import UserError
from engine.learn.checkpoints import random_state
from engine.learn.data.batches import Sampler
from engine.learn.optim.optimisers import make_optimizer, set_rate
from engine.learn.options import TrainingOptions
from engine.learn.precision import make_controller
from engine.learn.state import TrainingData
from engine.learn.step import Step
from engine.learn.tasks import find_task
from engine.spec import RunContext

STEPS, LOWEST, HIGHEST = 100, 1e-6, 10.0
SMOOTHING = 0.9
TOO_HIGH = 4.0
LEAST_STEPS = 8


@dataclass(frozen=True)
class RateCurve:
    """Loss over learning rate.

    Attributes
    ----------
    rates, losses, smoothed
        One number for each step, as far as the loss stayed bounded.
    suggested
        The rate at which the loss falls fastest.
    """

    rates: list[float]
    losses: list[float]
    smoothed: list[float]
    suggested: float


def find_learning_rate(
    module: nn.Module,
    data: TrainingData,
    options: TrainingOptions,
    ctx: RunContext,
    *,
    precision: str = "fp32",
    seed: int = 0,
    steps: int = STEPS,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    told: Callable[[int, float, float], None] | None = None,
) -> RateCurve:
    """Train for a few steps with a rate that rises from ``lowest`` to ``highest``, and look where the loss falls.

    Parameters
    ----------
    precision
        Name of the rung to compute on.
    told
        Hears of each step: its number, rate and loss.

    Raises
    ------
    UserError
        When the loss is not a number from the beginning, or never falls.
    """
    device = next(module.parameters()).device
    before, generators = copy.deepcopy(module.state_dict()), random_state.full_state(device)
    was_training = module.training
    try:
        module.train()
        optimizer = make_optimizer(module, options)
        controller = make_controller(precision, module, device, ctx.decide)
        step = Step(module, data.prepared(), options, optimizer, ctx, controller, find_task(options.task))
        sampler = Sampler(len(data.examples), options.batch_size, seed, data.examples.device)
        rates, losses, smoothed = [], [], []
        epoch, batches = 0, sampler.epoch(0)
        for number in range(steps):
            rows = next(batches, None)
            if rows is None:
                epoch, batches = epoch + 1, sampler.epoch(epoch + 1)
                rows = next(batches)
            rate = lowest * (highest / lowest) ** (number / max(1, steps - 1))
            set_rate(optimizer, rate)
            loss = float(step(rows, number, epoch).loss)
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            smoothed.append(_smoothed(losses))
            if told is not None:
                told(number + 1, rate, loss)
            if number >= LEAST_STEPS and smoothed[-1] > TOO_HIGH * min(smoothed):
                break
            ctx.check_cancelled()
    finally:
        module.load_state_dict(before)
        module.train(was_training)
        module.zero_grad()
        random_state.put_back(generators, device)
    return RateCurve(rates, losses, smoothed, suggest(rates, smoothed))


def suggest(rates: list[float], smoothed: list[float]) -> float:
    """The rate at which a curve falls fastest, per factor of the rate.

    Raises
    ------
    UserError
        When there is no such place.

    Examples
    --------
    >>> rates = [10 ** (n / 4) for n in range(-20, 4)]
    >>> losses = [2.3 - 2 / (1 + (0.01 / rate) ** 2) + 5 * rate for rate in rates]
    >>> 0.003 < suggest(rates, losses) < 0.03
    True
    """
    if len(rates) < LEAST_STEPS:
        raise UserError(
            "The loss was not a number after {steps} steps, at the lowest learning rates already",
            hint="Look for missing or very large numbers in the data.",
            steps=len(rates),
        )
    logs = [math.log(rate) for rate in rates]
    slopes = [(smoothed[n + 1] - smoothed[n - 1]) / (logs[n + 1] - logs[n - 1]) for n in range(1, len(rates) - 1)]
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    # behind the lowest loss the training has broken: what falls there falls back from a jump
    best = min(range(max(1, min(lowest, len(slopes)))), key=slopes.__getitem__)
    if slopes[best] >= 0:
        raise UserError(
            "The loss falls at no learning rate from {lowest} to {highest}",
            hint="Look at the data and the model: nothing can be learned like this.",
            lowest=f"{rates[0]:.1g}",
            highest=f"{rates[-1]:.1g}",
        )
    return rates[best + 1]


def _smoothed(losses: list[float]) -> float:
    """Exponential mean of all losses so far, without the pull towards zero of its start."""
    total = weight = 0.0
    for loss in losses[-64:]:
        total, weight = SMOOTHING * total + (1 - SMOOTHING) * loss, SMOOTHING * weight + (1 - SMOOTHING)
    return total / weight
