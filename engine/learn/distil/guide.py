"""A teacher beside a student in one step: what both put out, and how far they are apart.

Called by :class:`engine.learn.step.Step`. Must not know how the student is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import UserError
from engine.learn.distil.distillation import Distillation
from engine.learn.distil.layers import Watch, attention_projections, hidden_layers, matched
from engine.learn.distil.losses import hidden_difference, map_difference, relation_difference

Taught = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""Student's outputs, teacher's outputs, true targets and temperature to one number: of the task."""
Pairs = list[tuple[str, str]]


@dataclass
class Lesson:
    """What the teacher needs to answer a batch.

    Attributes
    ----------
    rows
        int64 (B,): the examples.
    questions
        As the teacher takes them; None: as the student does.
    """

    rows: Tensor
    questions: Tensor | None

    def split(self, count: int) -> list[Lesson]:
        """The same in parts, as even as can be."""
        rows = self.rows.tensor_split(count)
        if self.questions is None:
            return [Lesson(part, None) for part in rows]
        return [Lesson(*part) for part in zip(rows, self.questions.tensor_split(count), strict=True)]


class Guide:
    """Compares a student with its teacher, step after step.

    Parameters
    ----------
    student
        The bare network, as its layers are named.
    taught
        The task's own comparison of outputs.

    Raises
    ------
    UserError
        When there is nothing in the networks that could be compared.
    """

    def __init__(self, student: nn.Module, distillation: Distillation, taught: Taught) -> None:
        self.distillation, self._taught = distillation, taught
        self._hidden, self._maps, self._relations = _pairs(student, distillation)
        pairs = [*self._hidden, *self._maps, *self._relations]
        self._student = Watch(student, list(dict.fromkeys(ours for ours, _ in pairs)))
        self._teacher = Watch(distillation.teacher, list(dict.fromkeys(theirs for _, theirs in pairs)))
        self.watches = bool(pairs)
        self._pads = _pad_id(student), _pad_id(distillation.teacher)
        self._seen: tuple[Tensor, Tensor] | None = None

    def watching(self) -> AbstractContextManager[None]:
        """Around the student's forward pass."""
        return self._student.looking() if self.watches else nullcontext()

    def ask(self, lesson: Lesson, inputs: Tensor) -> Tensor:
        """The teacher's answers to a part of a batch; ``inputs`` are the student's."""
        if self.distillation.answers is not None:
            return self.distillation.answers[lesson.rows]
        asked = inputs if lesson.questions is None else lesson.questions
        self._seen = inputs, asked
        if not self.watches:
            return self.distillation.ask(asked)
        with self._teacher.looking():
            return self.distillation.ask(asked)

    def loss(self, own: Tensor, outputs: Tensor, answers: Tensor, targets: Tensor) -> Tensor:
        """The whole loss.

        Parameters
        ----------
        own
            Loss of the true targets.
        outputs
            The student's, float32.
        """
        options = self.distillation.options
        total = own
        if options.weight:
            taught = self._taught(outputs, answers, targets, options.temperature)
            total = torch.lerp(own, taught, options.weight)
        if not self.watches:
            return total
        assert self._seen is not None
        real, teacher_real = (_real(x, pad) for x, pad in zip(self._seen, self._pads, strict=True))
        if self._hidden:
            aligned = self.distillation.aligned
            found = [hidden_difference(*self._both(pair), real, teacher_real, aligned) for pair in self._hidden]
            total = total + options.hidden * torch.stack(found).mean()
        if self._maps:
            found = [map_difference(*self._images(pair)) for pair in self._maps]
            total = total + options.attention * torch.stack(found).mean()
        if self._relations:
            found = [relation_difference(*self._both(pair), real) for pair in self._relations]
            total = total + options.attention * torch.stack(found).mean()
        return total

    def _both(self, pair: tuple[str, str]) -> tuple[Tensor, Tensor]:
        ours, theirs = pair
        for name, values in ((ours, self._student.values), (theirs, self._teacher.values)):
            if name not in values:
                raise UserError(
                    "The layer {name} computes nothing that could be compared with a teacher",
                    field="hidden",
                    hint="Set hidden and attention to 0: then only the answers are compared.",
                    name=name,
                )
        return self._student.values[ours], self._teacher.values[theirs]

    def _images(self, pair: tuple[str, str]) -> tuple[Tensor, Tensor]:
        student, teacher = self._both(pair)
        if student.ndim != 4 or teacher.ndim != 4:
            raise _nothing("attention")
        return student, teacher


def make_guide(student: nn.Module, distillation: Distillation | None, taught: Taught, *, mixes: bool) -> Guide | None:
    """A guide for a student; None where there is no teacher, or nothing of it enters the loss.

    Parameters
    ----------
    mixes
        Whether examples are mixed, see :mod:`engine.learn.data.mixing`.

    Raises
    ------
    UserError
        When the teacher cannot see what the student sees.
    """
    if distillation is None or not distillation.options.teaches:
        return None
    if mixes and distillation.examples is not None:
        raise UserError(
            "Teacher and student take different inputs, so mixed examples cannot be shown to both",
            field="mixup",
            hint="Set mixup and cutmix to 0, or let the student read what the teacher reads.",
        )
    return Guide(student, distillation, taught)


def _pairs(student: nn.Module, distillation: Distillation) -> tuple[Pairs, Pairs, Pairs]:
    """Layers to compare by their outputs, by their maps of attention, and by relations of tokens."""
    options, teacher = distillation.options, distillation.teacher
    layers = matched(hidden_layers(student), hidden_layers(teacher)) if options.watches else []
    if options.hidden and not layers:
        raise _nothing("hidden")
    hidden = layers if options.hidden else []
    if not options.attention:
        return hidden, [], []
    ours, theirs = attention_projections(student), attention_projections(teacher)
    if ours and theirs:
        if not distillation.aligned:
            raise UserError(
                "Teacher and student read other tokens, so what they look at cannot be compared",
                field="attention",
                hint="Let the student read what the teacher reads, or set attention to 0.",
            )
        return hidden, [], list(zip(ours[-1], theirs[-1], strict=True))
    if ours or theirs or not layers:
        raise _nothing("attention")
    return hidden, layers, []


def _nothing(field: str) -> UserError:
    return UserError(
        "Teacher and student have no layers that could be compared",
        field=field,
        hint="Set hidden and attention to 0: then only the answers are compared.",
    )


def _pad_id(module: nn.Module) -> int | None:
    found: int | None = getattr(getattr(module, "config", None), "pad_id", None)
    return found


def _real(inputs: Tensor, pad: int | None) -> Tensor | None:
    """Which tokens are not padding; None where there is none."""
    return None if pad is None or inputs.is_floating_point() else inputs != pad
