"""Measure a language model on a corpus: perplexity with its interval, and the loss at each place of a block.

Called by ``evaluate.language_model``. Blocks go through the network a few at a time and only sums are kept.

Legend of shapes: N blocks, T tokens, V words of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.learn.measure.figures import Figure
from engine.learn.state import TrainingData
from engine.learn.tasks.language import IGNORED, perplexity

SURE = 1.959964


@dataclass(frozen=True)
class BlockLosses:
    """Sums over the tokens that were asked.

    Attributes
    ----------
    loss_N, asked_N
        float64 (N,): summed loss and number of asked tokens of each block.
    loss_T, asked_T
        float64 (T,): the same for each place of a block.
    right
        Tokens that were foreseen.
    targets_V
        float64 (V,): how often each token was the answer.
    """

    loss_N: np.ndarray
    asked_N: np.ndarray
    loss_T: np.ndarray
    asked_T: np.ndarray
    right: int
    targets_V: np.ndarray


@torch.inference_mode()
def block_losses(
    module: nn.Module, data: TrainingData, vocabulary: int, progress: Callable[[int, int], None]
) -> BlockLosses:
    """Ask a network about every token of a corpus.

    Parameters
    ----------
    data
        With ``derive``, as a task of language makes it.
    progress
        Told how many blocks are done of how many, after each batch; may raise to stop.
    """
    module.eval()
    device = data.examples.device
    length, count = data.examples.shape[0], len(data.examples)
    loss_T, asked_T = (torch.zeros(length, dtype=torch.float64, device=device) for _ in range(2))
    targets_V = torch.zeros(vocabulary, dtype=torch.float64, device=device)
    right = torch.zeros((), dtype=torch.int64, device=device)
    losses_N, asked_N = [], []
    for rows in torch.split(torch.arange(count, device=device), data.examples.batch_size):
        x_BT, targets_BT = data.batch(rows)
        outputs_BTV = module(x_BT).float()
        is_asked_BT = targets_BT != IGNORED
        loss_BT = functional.cross_entropy(
            outputs_BTV.transpose(1, 2), targets_BT, ignore_index=IGNORED, reduction="none"
        ).double()
        losses_N.append(loss_BT.sum(1))
        asked_N.append(is_asked_BT.sum(1))
        loss_T += loss_BT.sum(0)
        asked_T += is_asked_BT.sum(0)
        right += (outputs_BTV.argmax(-1) == targets_BT).sum()
        targets_V += torch.bincount(targets_BT[is_asked_BT], minlength=vocabulary)[:vocabulary]
        progress(int(rows[-1]) + 1, count)
    return BlockLosses(
        _numpy(torch.cat(losses_N)),
        _numpy(torch.cat(asked_N)),
        _numpy(loss_T),
        _numpy(asked_T),
        int(right),
        _numpy(targets_V),
    )


def _numpy(values: Tensor) -> np.ndarray:
    return np.asarray(values.double().cpu().numpy())


def language_measures(found: BlockLosses) -> dict[str, float]:
    """Numbers of an evaluation.

    ``perplexity`` with its 95 % interval ``perplexity_low`` and ``perplexity_high``, ``loss`` (nats a token),
    ``token_accuracy``, ``baseline_perplexity`` (of a model that knows only how often each token occurs in this corpus)
    and ``count`` of tokens.

    Notes
    -----
    Tokens of one block depend on each other, so the interval takes blocks as the units: the variance of a ratio of two
    sums (W. G. Cochran, "Sampling Techniques", 1977, section 6.3). With a single block there is none.

    Examples
    --------
    >>> sums = np.array([2.0, 4.0]), np.array([2.0, 2.0])
    >>> found = BlockLosses(*sums, *sums, right=1, targets_V=np.array([2.0, 2.0]))
    >>> numbers = language_measures(found)
    >>> round(numbers["perplexity"], 3), round(numbers["baseline_perplexity"], 3), numbers["token_accuracy"]
    (4.482, 2.0, 0.25)
    >>> numbers["perplexity_low"] < numbers["perplexity"] < numbers["perplexity_high"]
    True
    """
    asked = float(found.asked_N.sum())
    if asked == 0:
        return {"count": 0.0}
    loss, count = float(found.loss_N.sum()) / asked, len(found.loss_N)
    share_V = found.targets_V[found.targets_V > 0] / asked
    numbers = {
        "perplexity": perplexity(loss),
        "loss": loss,
        "token_accuracy": found.right / asked,
        "baseline_perplexity": perplexity(-float((share_V * np.log(share_V)).sum())),
        "count": asked,
    }
    if count > 1:
        scatter = float(((found.loss_N - loss * found.asked_N) ** 2).sum())
        half = SURE * math.sqrt(scatter * count / (count - 1)) / asked
        numbers |= {"perplexity_low": perplexity(loss - half), "perplexity_high": perplexity(loss + half)}
    return numbers


def place_figure(found: BlockLosses) -> Figure:
    """Loss at each place of a block: how much a model gains from what stands before."""
    is_asked = found.asked_T > 0
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": (np.flatnonzero(is_asked) + 1).tolist(),
        "y": [float(f"{value:.6g}") for value in found.loss_T[is_asked] / found.asked_T[is_asked]],
    }
    layout = {
        "xaxis": {"title": {"text": "place in the block"}},
        "yaxis": {"title": {"text": "loss"}},
        "margin": {"l": 60, "r": 20, "t": 20, "b": 60},
    }
    return {"data": [line], "layout": layout}
