"""Batch normalisation counted anew: after a network was changed, its means and variances are no longer what it sees.

Called by pruning and the search. Must not know why the network was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrate(module: nn.Module, batches: Iterable[Tensor], check: Callable[[], None] = lambda: None) -> int:
    """Set the running means and variances of a network to those over some examples; in place.

    Parameters
    ----------
    batches
        Inputs as the network takes them, each (B, ...) with B of 2 or more; a few hundred examples are enough.
    check
        Called before each batch; may raise to stop, which leaves the old statistics in place.

    Returns
    -------
    int
        How many layers were counted anew; 0 where there is no batch normalisation, and then no batch is looked at.

    Notes
    -----
    Every batch weighs alike, and the layers see each other's batch statistics, as in training. Source: B. Li et al.,
    "EagleEye: fast sub-net evaluation for efficient neural network pruning", ECCV 2020, section 3.3.

    Examples
    --------
    >>> norm = nn.BatchNorm1d(1)
    >>> recalibrate(norm, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    1
    >>> float(norm.running_mean)
    4.0
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.running_mean is not None]
    if not norms:
        return 0
    training = {part: part.training for part in module.modules()}
    before = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    momentum = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    try:
        with torch.no_grad():
            for batch in batches:
                check()
                module(batch)
    except BaseException:
        for norm, kept in zip(norms, before, strict=True):
            norm.load_state_dict(kept, strict=False)
        raise
    finally:
        for norm, value in zip(norms, momentum, strict=True):
            norm.momentum = value
        for part, was in training.items():
            part.training = was
    return len(norms)
