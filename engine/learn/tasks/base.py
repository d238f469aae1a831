"""What a task is: how a model is completed from its data, what its targets are, its loss, and its numbers.

Called by :mod:`engine.learn.here`, the training loop and validation. A new task is one more file in this folder; the
loop knows no task by name. Must not know the loop.

Legend of shapes: B examples, K outputs of each, T tokens, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from engine.artifacts import DatasetRef
from engine.learn.options import TrainingOptions
from engine.runtime.examples import DataSpec
from engine.runtime.modelspec import ModelSpec

Loss = Callable[[Tensor, Tensor], Tensor]
Derive = Callable[[Tensor], tuple[Tensor, Tensor]]


class Task:
    """Base of all tasks: one without classes, accuracy or targets of its own.

    Attributes
    ----------
    name
        As in ``model.json`` and :class:`engine.learn.options.TrainingOptions`.
    has_accuracy
        True when :meth:`right` counts.
    needs_target
        True when a table must say which of its columns is to be predicted.
    """

    name: ClassVar[str]
    has_accuracy: ClassVar[bool] = False
    needs_target: ClassVar[bool] = True

    def completed(self, given: ModelSpec, wanted: DataSpec, dataset: DatasetRef) -> dict[str, Any]:
        """The fields ``config``, ``labels`` and ``target`` of a model that learns this from these data.

        Raises
        ------
        UserError
            When model and data do not fit together.
        """
        raise NotImplementedError

    def targets(self, dataset: DatasetRef, spec: ModelSpec) -> Tensor | None:
        """The target of every example (N,), on the CPU; None when :meth:`derive` makes them from the inputs."""
        return None

    def derive(self, meta: Mapping[str, Any], *, training: bool) -> Derive | None:
        """How inputs and targets of a batch are made from its inputs alone; None when targets are kept.

        Parameters
        ----------
        meta
            Of the data set; of texts, with the facts of the tokenizer that made the tokens.
        training
            True: choices are drawn from the device's random generator, which checkpoints keep. False: the same batch
            gives the same targets each time.
        """
        return None

    def loss(self, options: TrainingOptions | None = None) -> Loss:
        """Outputs and targets to one number: the mean over all that was asked.

        Parameters
        ----------
        options
            None leaves out what only helps training, such as label smoothing: as measured on validation data.
        """
        raise NotImplementedError

    def taught(self, outputs: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """How far outputs are from a teacher's answers: the mean over all that was asked.

        Parameters
        ----------
        answers
            The teacher's outputs.
        temperature
            For tasks whose outputs are scores, see :func:`engine.learn.distil.losses.softened`.
        """
        return functional.mse_loss(outputs, answers)

    def asked(self, targets: Tensor) -> Tensor | int:
        """How many answers the mean of the loss was taken over."""
        return targets.size(0)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """How many answers are right: a number on the outputs' device."""
        raise NotImplementedError

    def numbers(self, part: str, loss: float, accuracy: float | None) -> dict[str, float]:
        """Metrics of an epoch.

        Parameters
        ----------
        part
            ``"train"`` or ``"validation"``: what their names begin with.
        """
        named = {f"{part}_loss": loss}
        if accuracy is not None:
            named[f"{part}_accuracy"] = accuracy
        return named
