"""Sampled signals: when they are taken, and when they ask for another rung.

Called by the controller. Must not know how a rung is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.shadow import shadow
from engine.learn.precision.weights import LostUpdates, low_weights

SHADOWED = ("cosine", "error", "underflow")
Loss = Callable[[Tensor, Tensor], Tensor]


class Samples:
    """Takes a sample every so many steps, and counts how many in a row crossed a limit.

    Attributes
    ----------
    fresh
        True from a sample to its reading.
    """

    def __init__(self, module: nn.Module, loss: Loss, options: PrecisionOptions) -> None:
        self._module, self._loss, self._options = module, loss, options
        self._low = low_weights(module) if "update_underflow" in options.sampled else []
        self._lost: LostUpdates | None = None
        self._share: Tensor | None = None
        self._shadow: dict[str, float] = {}
        self._agree = 0
        self.fresh = False

    def due(self, number: int) -> bool:
        """True when a step is one to take a sample at."""
        return bool(self._options.sampled) and number % self._options.sample_steps == self._options.sample_steps - 1

    def before(
        self,
        inputs: Tensor,
        targets: Tensor,
        lower: Callable[[], AbstractContextManager[None]],
        dtype: torch.dtype | None,
        scale: float,
    ) -> None:
        """Take the part of a sample that belongs before a step."""
        if self._low:
            self._lost, self.fresh = LostUpdates(self._low), True
        wanted = [name for name in SHADOWED if name in self._options.sampled]
        if wanted and dtype is not None and len(inputs) > 1:
            rows = min(len(inputs), self._options.sample_rows)
            found = shadow(self._module, self._loss, inputs[:rows], targets[:rows], lower, scale, dtype)
            self._shadow, self.fresh = {name: found[name] for name in wanted}, True

    def after(self) -> None:
        """Take the part that belongs behind the step of the optimiser."""
        if self._lost is not None:
            self._share, self._lost = self._lost.share(), None

    def read(self) -> tuple[str, float, float] | None:
        """Name, value and limit of a signal that has asked for another rung often enough; None: all is well."""
        self.fresh = False
        crossed = self._crossed()
        self._shadow, self._share = {}, None
        self._agree = self._agree + 1 if crossed else 0
        if crossed is None or self._agree < self._options.sample_agree:
            return None
        self._agree = 0
        return crossed

    def weights_were_raised(self) -> None:
        """There are no low weights any more."""
        self._low = []

    def _crossed(self) -> tuple[str, float, float] | None:
        options = self._options
        if self._share is not None:
            share = float(self._share)
            if share > options.most_update_underflow:
                return "update_underflow", share, options.most_update_underflow
        limits = {"cosine": options.least_cosine, "error": options.most_error, "underflow": options.most_underflow}
        for name, value in self._shadow.items():
            if value < limits[name] if name == "cosine" else value > limits[name]:
                return name, value, limits[name]
        return None

    def state_dict(self) -> dict[str, int]:
        """JSON."""
        return {"agree": self._agree}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """As it was."""
        self._agree = state["agree"]
        self.fresh, self._share, self._shadow = False, None, {}
