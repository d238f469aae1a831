"""A convnet that was trained on digits, and its data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.models import build


class Bench:
    """A trained network with images (N, 1, 8, 8) to calibrate and to test on."""

    def __init__(self, module: nn.Module, calibration: Tensor, images: Tensor, labels: Tensor) -> None:
        self.module, self.calibration, self.images, self.labels = module, calibration, images, labels

    def accuracy(self, outputs: Tensor | np.ndarray) -> float:
        return float((torch.as_tensor(outputs).argmax(1) == self.labels).float().mean())


@pytest.fixture(scope="package")
def bench() -> Bench:
    from sklearn.datasets import load_digits

    source = load_digits()
    order = np.random.default_rng(0).permutation(len(source.images))
    x = torch.from_numpy(source.images[order][:, None].astype(np.float32) / 8 - 1)
    y = torch.from_numpy(source.target[order])
    torch.manual_seed(0)
    module = build("resnet18", RESNET).train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    learn = 1400
    for _ in range(2):
        for rows in torch.randperm(learn).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
    return Bench(module.eval(), x[:256], x[learn:], y[learn:])


RESNET = {
    "in_channels": 1,
    "num_classes": 10,
    "stem_width": 16,
    "stage_widths": [16, 24, 32, 40],
    "inner_widths": [[[16], [16]], [[24], [24]], [[32], [32]], [[40], [40]]],
}
