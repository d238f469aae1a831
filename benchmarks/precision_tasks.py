"""The three tasks that adaptive precision is timed on.

ResNet-18 with the stem for 32 pixels on CIFAR-10, a convnet on digits, a small transformer that continues texts of a
made-up language.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.learn import TrainingData, TrainingOptions
from engine.learn.tasks.language import IGNORED
from engine.models import build, complete
from engine.runtime.examples import Examples


@dataclass(frozen=True)
class Work:
    """One task: how its network is made, what it learns from and is tested on, and with which options.

    Attributes
    ----------
    length
        Steps of the training whose speed counts: some minutes on two cores in fp32.
    turn
        Steps that are timed in one turn.
    """

    name: str
    make: Callable[[], nn.Module]
    data: TrainingData
    held_out: TrainingData
    options: TrainingOptions
    length: int
    turn: int
    metric: str


def works(options: argparse.Namespace) -> list[Work]:
    """The three tasks, or those that are asked for."""
    makers = {"resnet": _resnet, "digits": _digits, "text": _text}
    return [maker(options) for name, maker in makers.items() if not options.tasks or name in options.tasks.split(",")]


def _resnet(options: argparse.Namespace) -> Work:
    count, held = (32, 32) if options.quick else (2048, 1024)
    x, y, held_x, held_y = _cifar(options.data, count, held)
    config = complete("resnet18", {"stem": "small"}, "images", (3, 32, 32), 10)
    chosen = TrainingOptions(
        epochs=1 if options.quick else 4, batch_size=8 if options.quick else 128, optimizer="sgd", learning_rate=0.1,
        weight_decay=5e-4,
    )  # fmt: skip
    return Work(
        "ResNet-18, CIFAR-10" + ("" if options.data else " (drawn)"), lambda: build("resnet18", config),
        TrainingData(Examples(x), y), TrainingData(Examples(held_x), held_y), chosen, 500, 20, "validation_accuracy",
    )  # fmt: skip


def _cifar(folder: Path | None, count: int, held: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if folder is None:
        generator = torch.Generator().manual_seed(0)
        centres = torch.randn(10, 3, 32, 32, generator=generator)
        y = torch.randint(0, 10, (count + held,), generator=generator)
        x = 0.2 * centres[y] + torch.randn(count + held, 3, 32, 32, generator=generator)
        return x[:count], y[:count], x[count:], y[count:]
    from engine.datasets.cifar import read_cifar10

    parts = []
    for part, wanted in (("train", count), ("test", held)):
        found = read_cifar10(folder, part, lambda labels, n=wanted: range_of(labels, n), lambda done, total: None)
        assert found is not None, f"no part {part} in {folder}"
        pixels, labels = found
        parts += [(torch.from_numpy(pixels).float() / 255 - 0.47) / 0.25, torch.from_numpy(labels)]
    return parts[0], parts[1], parts[2], parts[3]


def range_of(labels: Any, count: int) -> Any:
    import numpy as np

    return np.arange(min(count, len(labels)))


def _digits(options: argparse.Namespace) -> Work:
    from sklearn.datasets import load_digits

    source = load_digits()
    x = torch.from_numpy(source.images).float()[:, None] / 16
    y = torch.from_numpy(source.target).long()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    learn, held = order[:1437], order[1437:]
    config = complete("convnet", {}, "images", (1, 8, 8), 10)
    return Work(
        "convnet, digits", lambda: build("convnet", config), TrainingData(Examples(x[learn]), y[learn]),
        TrainingData(Examples(x[held]), y[held]),
        TrainingOptions(epochs=2 if options.quick else 10, learning_rate=3e-3), 5_000, 200, "validation_accuracy",
    )  # fmt: skip


def _text(options: argparse.Namespace) -> Work:
    words, length, count = 64, 64, 64 if options.quick else 1536
    generator = torch.Generator().manual_seed(0)
    follows = torch.softmax(3 * torch.randn(words, words, generator=generator), 1)
    tokens = torch.randint(0, words, (count + 256, 1), generator=generator)
    for _ in range(length - 1):
        tokens = torch.cat([tokens, torch.multinomial(follows[tokens[:, -1]], 1, generator=generator)], 1)
    tokens = tokens.int()

    def following(x: Tensor) -> tuple[Tensor, Tensor]:
        targets = torch.full_like(x, IGNORED)
        targets[:, :-1] = x[:, 1:]
        return x, targets

    config = {"task": "language_model", "vocab_size": words, "max_length": length}
    return Work(
        "transformer, made-up texts", lambda: build("transformer_lm", config),
        TrainingData(Examples(tokens[:count]), None, derive=following),
        TrainingData(Examples(tokens[count:]), None, derive=following),
        TrainingOptions(task="language_model", epochs=1 if options.quick else 3, batch_size=32, learning_rate=1e-3),
        10_000, 60, "validation_token_accuracy",
    )  # fmt: skip
