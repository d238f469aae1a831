"""Which examples go into which step: a pure function of the seed and the epoch.

Called by the training loop and the learning-rate finder. Must not know what is done with a batch. Nothing here has a
state, so a run that goes on from the middle of an epoch has nothing to put back but the number of its next batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampler:
    """Orders examples anew in each epoch.

    Attributes
    ----------
    count
        Examples there are.
    batch_size
        Examples in one step of the optimiser; the last step of an epoch takes what is left.
    seed
        The order follows from it and from the epoch.

    Examples
    --------
    >>> sampler = Sampler(count=5, batch_size=2, seed=0)
    >>> sampler.steps
    2
    >>> [len(rows) for rows in sampler.epoch(0)]
    [2, 2]
    """

    count: int
    batch_size: int
    seed: int
    device: torch.device = torch.device("cpu")

    @property
    def steps(self) -> int:
        """Steps in one epoch.

        A last batch of one example has no spread to normalise by: it is left out (another one in each epoch).
        """
        return max(1, math.ceil(self.count / self.batch_size) - (self.count % self.batch_size == 1))

    def epoch(self, number: int, start: int = 0) -> Iterator[Tensor]:
        """Rows of each batch of an epoch: int64 (batch_size,), from batch ``start`` on."""
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + number) % 2**63)
        order = torch.randperm(self.count, generator=generator).to(self.device)
        return iter(torch.split(order, self.batch_size)[: self.steps][start:])
