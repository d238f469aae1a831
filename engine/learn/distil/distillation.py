"""A teacher and how strongly it is followed: what a training is given beside its examples.

Called by whoever trains a student: :mod:`engine.learn.distil.teacher` for models, quantisation-aware training for its
own network. It is a field of :class:`engine.learn.state.TrainingData`, so every step on these data has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.learn.distil.options import DistilOptions
from engine.runtime.examples import Examples
from engine.runtime.predictor import forward

REMEMBERED_BYTES = 256 * 2**20


class Distillation:
    """A trained network that another one learns from.

    Parameters
    ----------
    teacher
        On the device of the examples; put into evaluation mode, and never changed.
    temperature, weight, hidden, attention
        As in :class:`engine.learn.distil.options.DistilOptions`.
    examples
        The same examples as the teacher takes them, where it takes others than the student: another normalisation,
        size or tokenizer.
    aligned
        False: these differ in more than numbers; their tokens are not those of the student.
    convert
        Makes the student's kind of outputs of the teacher's: another order of classes, another scale of the target.

    Examples
    --------
    >>> Distillation(nn.Linear(4, 2), weight=0.5).options.temperature
    4.0
    """

    def __init__(
        self,
        teacher: nn.Module,
        temperature: float = DistilOptions.temperature,
        weight: float = DistilOptions.weight,
        hidden: float = DistilOptions.hidden,
        attention: float = DistilOptions.attention,
        *,
        examples: Examples | None = None,
        aligned: bool = True,
        convert: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.teacher = teacher.eval()
        self.options = DistilOptions(temperature, weight, hidden, attention)
        self.examples, self.aligned = examples, aligned
        self.answers: Tensor | None = None
        self._convert = convert

    def remember(self, examples: Examples, tell: Callable[[int, int], None] | None = None) -> None:
        """Let the teacher answer every example once, where that is all a training asks of it.

        Parameters
        ----------
        examples
            The student's; those of the teacher are taken where it has its own.
        tell
            Told examples that are done, and all of them; may raise to stop.
        """
        if self.options.watches or not self.options.weight:
            return
        found = self._converted(forward(self.teacher, self.examples or examples, tell))
        if found.numel() * found.element_size() <= REMEMBERED_BYTES:
            # a tensor that was made for inference alone may not enter a gradient
            self.answers = found.clone()

    def questions(self, rows: Tensor, raw: Tensor, augmented: bool) -> Tensor | None:
        """A batch as the teacher takes it; None where it takes the student's.

        Parameters
        ----------
        raw
            The student's examples before they are prepared.
        augmented
            Whether they were changed by chance: then the teacher sees the same change.
        """
        if self.examples is None or self.answers is not None:
            return None
        return self.examples.prepare(raw if augmented else self.examples.take(rows))

    @torch.no_grad()
    def ask(self, inputs: Tensor) -> Tensor:
        """The teacher's outputs for a batch, as the student's are."""
        return self._converted(self.teacher(inputs).float())

    def _converted(self, outputs: Tensor) -> Tensor:
        return outputs if self._convert is None else self._convert(outputs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Distillation:
        return self
