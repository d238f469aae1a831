"""Measure a network on data it does not learn from, one batch after the other.

Called by the training loop after each epoch. Sums stay on the device until the end, and no outputs are kept: those of a
language model would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from engine.learn.state import TrainingData
from engine.learn.tasks import Task


@torch.inference_mode()
def validate(module: nn.Module, data: TrainingData, task: Task, check: Callable[[], None]) -> dict[str, float]:
    """Metrics of a task, such as ``validation_loss``.

    Parameters
    ----------
    check
        Called before each batch; may raise to stop.
    """
    was_training = module.training
    module.eval()
    loss = task.loss()
    device = data.examples.device
    loss_sum, right, asked = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(3))
    for rows in torch.split(torch.arange(len(data.examples), device=device), data.examples.batch_size):
        check()
        x, targets = data.batch(rows)
        outputs = module(x).float()
        count = task.asked(targets)
        loss_sum += loss(outputs, targets).double() * count
        asked += count
        if task.has_accuracy:
            right += task.right(outputs, targets)
    module.train(was_training)
    whole = max(1.0, float(asked))
    accuracy = float(right) / whole if task.has_accuracy else None
    return task.numbers("validation", float(loss_sum) / whole, accuracy)
