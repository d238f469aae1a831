"""The optimisers, in their fused form where the device has one."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from engine.learn.options import TrainingOptions

_FUSED = ("cpu", "cuda", "mps", "xpu")


def make_optimizer(module: nn.Module, options: TrainingOptions) -> Optimizer:
    """The optimiser for a network.

    Weight decay leaves biases and the parameters of normalisation layers alone (T. He et al., "Bag of tricks for image
    classification with convolutional neural networks", CVPR 2019, section 3.1).

    Sources: SGD with Nesterov momentum: I. Sutskever et al., ICML 2013; AdamW: I. Loshchilov, F. Hutter, "Decoupled
    weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> optimizer = make_optimizer(nn.Linear(2, 1), TrainingOptions(weight_decay=0.1))
    >>> [group["weight_decay"] for group in optimizer.param_groups]
    [0.1, 0.0]
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(p.device.type in _FUSED for p in parameters)
    if options.optimizer == "sgd":
        nesterov = options.momentum > 0
        return SGD(groups, lr=options.learning_rate, momentum=options.momentum, nesterov=nesterov, fused=fused)
    return AdamW(groups, lr=options.learning_rate, betas=(options.momentum, 0.999), fused=fused)
