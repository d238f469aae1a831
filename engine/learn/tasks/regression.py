"""Predict a number for each row."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from engine.artifacts import DatasetRef
from engine.learn.options import TrainingOptions
from engine.learn.tasks.base import Loss, Task
from engine.models import complete
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec, Target
from engine.runtime.targets import values_of


class Regression(Task):
    """Mean squared error of numbers that are scaled to mean 0 and deviation 1.

    >>> import torch
    >>> float(Regression().loss()(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0])))
    2.0
    """

    name = "regression"

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """One output; the scale of the target is measured on the training data and kept by the model."""
        numbers = values_of(dataset, str(wanted.target))
        deviation = float(numbers.double().std(unbiased=False))
        target = given.target or Target(
            name=str(wanted.target), mean=float(numbers.double().mean()), std=deviation if deviation > 0 else 1.0
        )
        facts = {**wanted.facts, "task": self.name}
        config = complete(given.architecture, given.config, wanted.input["kind"], wanted.shape, 1, facts)
        return {"config": config, "labels": None, "target": target}

    def targets(self, dataset: DatasetRef, spec: ModelSpec) -> Tensor:
        """float32 (N,): scaled numbers."""
        assert spec.target is not None
        return (values_of(dataset, spec.target.name) - spec.target.mean) / spec.target.std

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """Mean squared error of outputs (B, 1) and targets (B,)."""
        return squared_error


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of outputs ``(B, 1)`` and targets ``(B,)``."""
    return functional.mse_loss(outputs[:, 0], targets)
