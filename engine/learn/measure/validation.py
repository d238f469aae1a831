"""Measure a network on data it does not learn from, one batch after the other.

Called by the training loop after each epoch. Sums stay on the device until the end, and no outputs are kept: those of a
language model would not fit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from engine.compute.world import ALONE, World
from engine.learn.state import TrainingData
from engine.learn.tasks import Task


@torch.no_grad()
def validate(
    module: nn.Module, data: TrainingData, task: Task, check: Callable[[], None], world: World = ALONE
) -> dict[str, float]:
    """Metrics of a task, such as ``validation_loss``.

    Parameters
    ----------
    check
        Called before each batch; may raise to stop.
    world
        Each process measures its share of the examples; the numbers are those of all, on every one.
    """
    was_training = module.training
    module.eval()
    loss = task.loss()
    device = data.examples.device
    loss_sum, right, asked = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(3))
    for buffer in module.buffers():
        world.copy_from_main(buffer)
    for rows, counts in _batches(len(data.examples), data.examples.batch_size, world):
        check()
        x, targets = data.batch(rows.to(device))
        outputs = module(x).float()
        if not counts:
            continue
        count = task.asked(targets)
        loss_sum += loss(outputs, targets).double() * count
        asked += count
        if task.has_accuracy:
            right += task.right(outputs, targets)
    module.train(was_training)
    loss_sum, right, asked = world.sum(torch.stack([loss_sum, right, asked]))
    whole = max(1.0, float(asked))
    accuracy = float(right) / whole if task.has_accuracy else None
    return task.numbers("validation", float(loss_sum) / whole, accuracy)


def _batches(count: int, size: int, world: World) -> Iterator[tuple[Tensor, bool]]:
    """Rows of this process's batches, as many as every other process has; False: they only keep step."""
    mine = torch.tensor(world.shard(count), dtype=torch.int64)
    batches = torch.split(mine, size) if len(mine) else ()
    yield from ((rows, True) for rows in batches)
    for _ in range(len(batches), -(-len(World(size=world.size).shard(count)) // size)):
        yield torch.zeros(1, dtype=torch.int64), False
