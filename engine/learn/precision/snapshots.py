"""Snapshots of a training in memory, to roll back to.

Called by the controller. A snapshot is all that changes: weights, buffers, the optimiser's state, averages, random
generators, and how far the training is. There is a ring of two; their tensors are allocated once and written over. How
often one is taken follows from what it costs. Must not know what a step does: whoever trains says what there is to
keep.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.scaler import LossScaler

DEVICE_SHARE = 0.2
OWN = "controller."


class Training(Protocol):
    """What there is to keep of a training."""

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that changes, as it is."""

    def numbers(self) -> dict[str, Any]:
        """Everything else that changes."""

    def put_back(self, tensors: Mapping[str, Tensor], numbers: dict[str, Any]) -> None:
        """Make it as it was."""


class Snapshot:
    """A training as it was after ``step`` steps.

    Examples
    --------
    >>> snapshot = Snapshot()
    >>> weight = torch.ones(2)
    >>> snapshot.capture(3, {"weight": weight}, {"epoch": 1})
    >>> _ = weight.zero_()
    >>> snapshot.step, snapshot.tensors["weight"].tolist(), snapshot.numbers
    (3, [1.0, 1.0], {'epoch': 1})
    """

    def __init__(self) -> None:
        self.step = -1
        self.tensors: dict[str, Tensor] = {}
        self.numbers: dict[str, Any] = {}

    def capture(self, step: int, tensors: Mapping[str, Tensor], numbers: dict[str, Any], on_host: bool = False) -> None:
        """Copy a training; storage of an earlier capture is used again."""
        kept = {}
        for name, tensor in tensors.items():
            place = self.tensors.get(name)
            fits = place is not None and place.shape == tensor.shape and place.dtype == tensor.dtype
            if place is None or not fits or place.stride() != tensor.stride():
                place = torch.empty_like(tensor, device="cpu" if on_host else tensor.device, requires_grad=False)
            kept[name] = place.copy_(tensor.detach())
        self.step, self.tensors, self.numbers = step, kept, copy.deepcopy(numbers)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values())


class SnapshotRing:
    """The two newest snapshots, and when the next one is due.

    Attributes
    ----------
    took_s
        What the last capture took.
    every
        Steps between two.
    """

    def __init__(self, training: Training, options: PrecisionOptions) -> None:
        self._training, self._options = training, options
        self._kept: list[Snapshot] = []
        self._on_host: bool | None = None
        self.took_s = 0.0
        self.every = options.least_snapshot_steps

    def due(self, step: int) -> bool:
        """True when it is time for the next one."""
        return not self._kept or step - self._kept[-1].step >= self.every

    def capture(self, step: int, step_s: float) -> None:
        """Take one of the training as it is now.

        Parameters
        ----------
        step_s
            What a step takes; with the cost of a snapshot it gives the time to the next.
        """
        started = time.perf_counter()
        tensors = self._training.tensors()
        if self._on_host is None:
            self._on_host = _is_too_large(tensors)
        self._kept = [kept for kept in self._kept if kept.step != step]
        snapshot = self._kept.pop(0) if len(self._kept) == 2 else Snapshot()
        snapshot.capture(step, tensors, self._training.numbers(), self._on_host)
        self._kept.append(snapshot)
        self.took_s = time.perf_counter() - started
        if step_s > 0:
            wanted = math.ceil(self.took_s / (self._options.snapshot_share * step_s))
            self.every = min(max(wanted, self._options.least_snapshot_steps), self._options.most_snapshot_steps)

    def newest(self, at_most: int | None = None) -> Snapshot | None:
        """The newest, from before a step; None when there is none."""
        fitting = [snapshot for snapshot in self._kept if at_most is None or snapshot.step <= at_most]
        return fitting[-1] if fitting else None

    @property
    def oldest(self) -> Snapshot:
        """The oldest there is."""
        return self._kept[0]

    def restore(self, snapshot: Snapshot) -> None:
        """Make the training as it was; snapshots from later on are forgotten."""
        self._kept = [kept for kept in self._kept if kept.step <= snapshot.step]
        self._training.put_back(snapshot.tensors, copy.deepcopy(snapshot.numbers))

    @property
    def size(self) -> int:
        """Bytes of all snapshots."""
        return sum(snapshot.size for snapshot in self._kept)


class Whole:
    """A training and what the controller knows of it, as one.

    Parameters
    ----------
    passing, put_passing_back
        Read and set what the controller knows.
    """

    def __init__(
        self,
        training: Training,
        passing: Callable[[], dict[str, Any]],
        put_passing_back: Callable[[dict[str, Any]], None],
        scaler: LossScaler,
    ) -> None:
        self._training, self._passing, self._put_passing_back = training, passing, put_passing_back
        self._scaler = scaler

    def tensors(self) -> dict[str, Tensor]:
        """Of both."""
        own = {f"{OWN}{name}": tensor for name, tensor in self._scaler.tensors().items()}
        return {**self._training.tensors(), **own}

    def numbers(self) -> dict[str, Any]:
        """Of both."""
        return {"training": self._training.numbers(), "controller": self._passing()}

    def put_back(self, tensors: Mapping[str, Tensor], numbers: dict[str, Any]) -> None:
        """Make both as they were."""
        self._scaler.put_back({name.removeprefix(OWN): t for name, t in tensors.items() if name.startswith(OWN)})
        self._put_passing_back(numbers["controller"])
        theirs = {name: tensor for name, tensor in tensors.items() if not name.startswith(OWN)}
        self._training.put_back(theirs, numbers["training"])


def _is_too_large(tensors: Mapping[str, Tensor]) -> bool:
    """True when two copies would take too much of what the accelerator has left."""
    devices = {tensor.device for tensor in tensors.values() if tensor.device.type == "cuda"}
    if not devices:
        return False
    needed = 2 * sum(t.numel() * t.element_size() for t in tensors.values() if t.device.type == "cuda")
    return needed > DEVICE_SHARE * min(torch.cuda.mem_get_info(device)[0] for device in devices)
