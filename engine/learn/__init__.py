"""Training: the loop, losses, optimisers, schedules, augmentation, metrics and checkpoints."""

from engine.learn.loop import train
from engine.learn.options import TrainingOptions
from engine.learn.state import TrainingData, TrainingResult

__all__ = ["TrainingData", "TrainingOptions", "TrainingResult", "train"]
