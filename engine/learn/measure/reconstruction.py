"""How well an autoencoder gives back what came in: one error for each example.

Called by ``evaluate.autoencoder``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from engine.runtime.examples import Examples


@torch.inference_mode()
def reconstruction_errors(
    module: nn.Module, examples: Examples, progress: Callable[[int, int], None]
) -> tuple[np.ndarray, float]:
    """Mean squared error of each example, and that of always answering the mean of all.

    Parameters
    ----------
    progress
        Told how many examples are done of how many, after each batch; may raise to stop.

    Returns
    -------
    tuple
        float64 (N,), and a number.
    """
    module.eval()
    count, device = len(examples), examples.device
    errors_N: list[np.ndarray] = []
    total = squares = torch.zeros((), dtype=torch.float64, device=device)
    for rows in torch.split(torch.arange(count, device=device), examples.batch_size):
        x_BF = examples.batch(rows)
        outputs_BF = module(x_BF).float().flatten(1).double()
        x_BF = x_BF.flatten(1).double()
        errors_N.append(((outputs_BF - x_BF) ** 2).mean(1).cpu().numpy())
        total, squares = total + x_BF.sum(0), squares + (x_BF**2).sum(0)
        progress(int(rows[-1]) + 1, count)
    baseline = (squares / count - (total / count) ** 2).mean()
    return np.concatenate(errors_N), float(baseline)
