"""How strongly a student follows its teacher: part of :class:`engine.learn.options.TrainingOptions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StartName = Literal["own", "teacher"]


@dataclass(frozen=True)
class DistilOptions:
    """Strengths of the parts of the loss; with all of them at 0 a training is what it is without a teacher.

    Attributes
    ----------
    temperature
        What both networks' scores are divided by before they are compared: above 1, unlikely answers count more.
    weight
        Share of the loss that comes from the teacher's answers; the rest is that of the true ones. From 0 to 1.
    hidden
        Strength of the difference between what the layers put out.
    attention
        Strength of the difference between what the networks look at.
    start
        ``"own"``: from the weights that the student has; ``"teacher"``: from those of the teacher's layers that fit.
    """

    temperature: float = 4.0
    weight: float = 0.9
    hidden: float = 0.0
    attention: float = 0.0
    start: StartName = "own"

    @property
    def watches(self) -> bool:
        """True when it is not the answers alone that are compared."""
        return self.hidden > 0 or self.attention > 0

    @property
    def teaches(self) -> bool:
        """False when nothing of the teacher enters the loss.

        >>> DistilOptions(weight=0.0).teaches
        False
        """
        return self.weight > 0 or self.watches
