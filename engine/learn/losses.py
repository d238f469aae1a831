"""Loss functions by task."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

from engine.learn.options import TrainingOptions

Loss = Callable[[Tensor, Tensor], Tensor]


def make_loss(options: TrainingOptions) -> Loss:
    """Outputs and targets to one number, the mean over the batch.

    Classification: cross-entropy, with label smoothing (C. Szegedy et al., "Rethinking the Inception architecture",
    CVPR 2016, section 7). Regression: mean squared error.

    >>> import torch
    >>> round(float(make_loss(TrainingOptions())(torch.zeros(2, 4), torch.tensor([0, 3]))), 4)
    1.3863
    """
    if options.task == "regression":
        return squared_error
    return partial(functional.cross_entropy, label_smoothing=options.label_smoothing)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of outputs ``(B, 1)`` and targets ``(B,)``."""
    return functional.mse_loss(outputs[:, 0], targets)
