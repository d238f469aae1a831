"""Tell classes apart: images, rows or texts with a class."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor
from torch.nn import functional

from engine.artifacts import DatasetRef
from engine.errors import UserError
from engine.learn.distil.losses import softened
from engine.learn.options import TrainingOptions
from engine.learn.tasks.base import Loss, Task
from engine.models import complete
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec
from engine.runtime.targets import labels_of


class Classification(Task):
    """Cross-entropy over K classes.

    Label smoothing: C. Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7.

    >>> import torch
    >>> round(float(Classification().loss()(torch.zeros(2, 4), torch.tensor([0, 3]))), 4)
    1.3863
    """

    name = "classification"
    has_accuracy = True

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """As many outputs as there are classes; a trained model keeps the order of its labels."""
        if not wanted.classes:
            raise UserError(
                "The data set has no classes to learn",
                field="dataset",
                hint="Choose a target with classes, or use the block Train a regressor.",
            )
        same = given.labels is not None and set(given.labels) == set(wanted.classes)
        facts = {**wanted.facts, "task": self.name}
        kind, shape = wanted.input["kind"], wanted.shape
        config = complete(given.architecture, given.config, kind, shape, len(wanted.classes), facts)
        return {"config": config, "labels": given.labels if same else wanted.classes, "target": None}

    def targets(self, dataset: DatasetRef, spec: ModelSpec) -> Tensor:
        """int64 (N,): the number of each example's class among the model's labels."""
        return labels_of(dataset, spec.labels or [])

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """Cross-entropy of outputs (B, K) and targets: int64 (B,), or shares float32 (B, K)."""
        return partial(functional.cross_entropy, label_smoothing=options.label_smoothing if options else 0.0)

    def taught(self, outputs: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """See :func:`engine.learn.distil.losses.softened`."""
        return softened(outputs, answers, temperature)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Examples whose likeliest class is the true one."""
        return (outputs.argmax(1) == targets).sum()
