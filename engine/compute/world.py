"""The processes that train one network together, as the training loop sees them.

Called by the training loop and by what it is made of. A world of one process does nothing and costs nothing, so there
is one loop for both. Must not know who started the processes (:mod:`engine.distributed`) nor what they train.

Every process walks through the same program in the same order. What one of them decides by a clock or hears from a
person (log now, write a checkpoint, stop) is therefore decided by rank 0 and told to all: :meth:`World.lead`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Beat = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Share:
    """The part of one batch that a process computes.

    Attributes
    ----------
    rows
        int64 (n,): which examples.
    weight
        What the mean loss over ``rows`` is multiplied by, so that the mean over all processes is the mean over the
        whole batch also when it does not divide evenly; 0 for a process that only keeps step.
    count
        How many of ``rows`` count.
    least
        Fewest rows that any process has: into so many parts can all cut theirs.
    """

    rows: Tensor
    weight: float
    count: int
    least: int


@dataclass(frozen=True, slots=True)
class World:
    """The processes of one training.

    Attributes
    ----------
    rank
        Number of this process: 0 to ``size - 1``. Rank 0 speaks for all.
    size
        How many there are.
    local_rank, local_size
        The same among those of this machine; a ``local_size`` of 0: all are here.
    beat
        Told the step and what begins in it; how a hung process is found.
    wish
        What the run wants, as rank 0 hears it: 0 to go on, 1 to be cancelled, 2 to stop here and go on later.

    Examples
    --------
    >>> World().is_main, World().lead(1, 0)
    (True, (1, 0))
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 0
    beat: Beat = lambda step, phase: None
    wish: Callable[[], int] = lambda: 0

    @property
    def is_main(self) -> bool:
        """True for the process that writes and speaks."""
        return self.rank == 0

    @property
    def is_single(self) -> bool:
        """True when there are no others."""
        return self.size == 1

    @property
    def spans_machines(self) -> bool:
        """True when not all processes are on this machine: they share no folder."""
        return 0 < self.local_size < self.size

    def share(self, rows: Tensor) -> Share:
        """The part of a batch that this process computes: a contiguous run of its rows, as even as possible.

        Batch normalisation needs two examples and every process must take part in every step. So a batch that has
        fewer than two for each is rank 0's alone, and the others compute two of its examples with weight 0.

        Parameters
        ----------
        rows
            int64 (B,): the same on every process.

        Examples
        --------
        >>> import torch
        >>> World(rank=1, size=2).share(torch.arange(5)).rows.tolist()
        [3, 4]
        """
        if self.size == 1:
            count = rows.size(0)  # len() of a tensor costs microseconds
            return Share(rows, 1.0, count, count)
        mine = rows.tensor_split(self.size)[self.rank]
        if len(rows) < 2 * self.size:
            least = min(2, len(rows))
            if self.is_main:
                return Share(rows, float(self.size), len(rows), least)
            return Share(rows[:2], 0.0, 0, least)
        return Share(mine, len(mine) * self.size / len(rows), len(mine), len(rows) // self.size)

    def shard(self, count: int) -> range:
        """Which of ``count`` examples this process looks at, where nothing is learned: each belongs to one process.

        >>> [list(World(rank=rank, size=2).shard(5)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3]]
        """
        return range(self.rank, count, self.size)

    def lead(self, *numbers: int) -> tuple[int, ...]:
        """What rank 0 says, on every process."""
        if self.size == 1:
            return numbers
        import torch
        from torch import distributed

        said = torch.tensor(numbers, dtype=torch.int64)
        distributed.broadcast(said, 0)
        return tuple(said.tolist())

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, as a new tensor on every one."""
        if self.size == 1:
            return tensor
        from torch import distributed

        total = tensor.detach().clone()
        distributed.all_reduce(total)
        return total

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over all processes, as a new tensor on every one."""
        return tensor if self.size == 1 else self.sum(tensor) / self.size

    def any(self, flag: bool) -> bool:
        """True on every process when it is on one of them."""
        if self.size == 1:
            return flag
        import torch

        return bool(self.sum(torch.tensor([int(flag)])).item())

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The same tensor of every process, by rank; all must have one shape."""
        if self.size == 1:
            return [tensor]
        import torch
        from torch import distributed

        parts = [torch.empty_like(tensor) for _ in range(self.size)]
        distributed.all_gather(parts, tensor.contiguous())
        return parts

    def copy_from_main(self, tensor: Tensor) -> None:
        """Overwrite a tensor with rank 0's, in place."""
        if self.size == 1:
            return
        from torch import distributed

        distributed.broadcast(tensor, 0)

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.size == 1:
            return
        import torch

        self.sum(torch.zeros(1))


ALONE = World()
"""One process."""
