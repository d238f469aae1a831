"""Does a file compute what the network computes? Asked before an exported model is accepted.

Called by compression, export and the choice of a runtime, with held-out examples.
"""

from __future__ import annotations

from torch import Tensor

from engine.errors import UserError

LEAST_AGREEMENT = 0.98
NEAR = 0.05
"""Numbers count as alike, and scores as a tie, within this share of their spread: rounding may differ in single values,
and a network that has learned little has many ties."""


def agreement(expected: Tensor, found: Tensor) -> float:
    """Share of the answers that are alike.

    Parameters
    ----------
    expected, found
        Outputs of two ways to compute one network: (B, K) scores of classes, (B, T, V) scores of tokens, or numbers.

    Examples
    --------
    >>> import torch
    >>> agreement(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([[1.1, 1.9], [0.0, 3.0]]))
    0.5
    >>> agreement(torch.tensor([[3.0, 2.99, 0.0]]), torch.tensor([[2.99, 3.0, 0.0]]))  # a tie
    1.0
    """
    if expected.shape != found.shape:
        return 0.0
    expected, found = expected.float(), found.float()
    if expected.ndim > 1 and expected.shape[-1] > 1:
        best, other = expected.amax(-1), expected.gather(-1, found.argmax(-1, keepdim=True)).squeeze(-1)
        return float((best - other <= NEAR * expected.std(-1)).float().mean())
    spread = expected.std() if expected.numel() > 1 else expected.abs().max()
    return float(((expected - found).abs() < NEAR * spread.clamp(min=1e-6)).float().mean())


def verify(expected: Tensor, found: Tensor, least: float = LEAST_AGREEMENT) -> float:
    """The agreement, where it is high enough.

    Raises
    ------
    UserError
        Where it is not.
    """
    share = agreement(expected, found)
    if not share >= least:
        raise UserError(
            "The written file answers {percent} % of the examples as the network does, which is too few",
            field="model",
            hint="Please report this model: the runtime computes one of its operators in another way.",
            percent=round(100 * share, 1),
        )
    return share
