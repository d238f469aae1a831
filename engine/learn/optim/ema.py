"""Averages of the weights over the training, which are often better than the last weights.

Called by the step (:meth:`Average.update`) and by the loop, which evaluates and saves the averaged weights. All work is
done on whole lists of tensors at once and waits for nothing. Must not know what a step does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from engine.learn.options import AveragingName, TrainingOptions
from engine.learn.shards import part_here


def make_average(module: nn.Module, options: TrainingOptions, total: int) -> Average | None:
    """The average that options ask for in a training of ``total`` steps; None when they ask for none."""
    if options.averaging == "none":
        return None
    return Average(module, options.averaging, options.averaging_decay, options.averaging_steps, total)


class Average:
    """An average that follows the weights of a network, and the running statistics of its normalisation.

    Parameters
    ----------
    kind
        ``"ema"``: an exponential moving average; the training itself does not see it (B. Polyak, A. Juditsky,
        "Acceleration of stochastic approximation by averaging", 1992). ``"lookahead"``: every ``every`` steps the
        network is set to the average and goes on from there (M. Zhang et al., "Lookahead optimizer", NeurIPS 2019).
    decay
        What is kept of the average in each step; 0 to 1. Early in the training less is kept: the part of a new weight
        is at least 1 / (updates + 1), so that the first weights do not stay; and lookahead begins by keeping nothing
        and reaches the decay with the cube of the training's progress (K. Jordan, "94 % on CIFAR-10", 2024).
    every
        Steps between two updates. The decay counts by step: it is raised to this power.
    total
        Steps of the training.

    Examples
    --------
    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.0)
    >>> average = Average(layer, "ema", decay=0.5, every=1, total=10)
    >>> _ = nn.init.constant_(layer.weight, 1.0)
    >>> average.update(1)
    >>> with average.in_place():
    ...     layer.weight.item()
    0.5
    >>> layer.weight.item()
    1.0
    """

    def __init__(self, module: nn.Module, kind: AveragingName, decay: float, every: int, total: int) -> None:
        self.kind, self._decay, self._every, self._total = kind, decay, every, total
        state = module.state_dict()
        self._names = [name for name, tensor in state.items() if tensor.is_floating_point()]
        self._kept = [state[name].detach().clone() for name in self._names]
        # of weights that several processes share, the part that is here: averaging needs no other
        self._live = [part_here(state[name].detach()) for name in self._names]
        self._averaged = [part_here(tensor) for tensor in self._kept]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step.

        Parameters
        ----------
        step
            Steps done.
        """
        if step % self._every:
            return
        kept = self._decay**self._every
        if self.kind == "lookahead":
            kept *= min(1.0, step / self._total) ** 3
        part = max(1 - kept, 1 / (step // self._every + 1))
        torch._foreach_lerp_(self._averaged, self._live, part)
        if self.kind == "lookahead":
            torch._foreach_copy_(self._live, self._averaged)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network with the averaged weights, and afterwards with its own again."""
        own = [tensor.detach().clone() for tensor in self._live]
        self.put_in_place()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._live, own)

    @torch.no_grad()
    def put_in_place(self) -> None:
        """Give the network the averaged weights for good."""
        torch._foreach_copy_(self._live, self._averaged)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return dict(zip(self._names, self._kept, strict=True))

    @torch.no_grad()
    def put_back(self, tensors: Mapping[str, Tensor]) -> None:
        """As it was when :meth:`tensors` was called."""
        for name, kept in zip(self._names, self._kept, strict=True):
            kept.copy_(tensors[name])
