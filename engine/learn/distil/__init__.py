"""Distillation: a student learns from a teacher's answers, as one more part of the loss of the training loop."""

from engine.learn.distil.distillation import Distillation
from engine.learn.distil.options import DistilOptions

__all__ = ["DistilOptions", "Distillation"]
