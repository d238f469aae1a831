"""Give back what came in, through a narrow place: autoencoders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from engine.artifacts import DatasetRef
from engine.errors import UserError
from engine.learn.options import TrainingOptions
from engine.learn.tasks.base import Derive, Loss, Task
from engine.models import complete
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec


class Reconstruction(Task):
    """Mean squared error between prepared inputs and outputs.

    Source: G. E. Hinton, R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science
    313, 2006.
    """

    name = "reconstruction"
    needs_target = False

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """As many outputs as an example has numbers."""
        kind, shape = wanted.input["kind"], wanted.shape
        if kind == "tokens":
            raise UserError(
                "An autoencoder takes images or rows of a table, not texts",
                field="dataset",
                hint="For texts, use the block Train a language model.",
            )
        facts = {**wanted.facts, "task": self.name}
        config = complete(given.architecture, given.config, kind, shape, math.prod(shape), facts)
        return {"config": config, "labels": None, "target": None}

    def derive(self, meta: Mapping[str, Any], *, training: bool) -> Derive:
        """The inputs are the targets."""
        return _itself

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """Mean squared error of outputs and targets, (B, ...) with as many numbers each."""
        return _difference


def _itself(x: Tensor) -> tuple[Tensor, Tensor]:
    return x, x


def _difference(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs.flatten(1), targets.flatten(1))
