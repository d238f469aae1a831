"""The optimisers, in their fused form where the device has one.

Called by the training loop and the learning-rate finder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from engine.learn.options import TrainingOptions

_FUSED = ("cpu", "cuda", "mps", "xpu")
Group = dict[str, Any]


def make_optimizer(module: nn.Module, options: TrainingOptions) -> Optimizer:
    """The optimiser for a network.

    Weight decay leaves biases and the parameters of normalisation layers alone (T. He et al., "Bag of tricks for image
    classification with convolutional neural networks", CVPR 2019, section 3.1). Each group says in ``scale`` what its
    learning rate is multiplied by: ``bias_rate`` for the same parameters (K. Jordan, "94 % on CIFAR-10 in 3.29
    seconds", 2024, section 3.4), else 1.

    Sources: SGD with Nesterov momentum: I. Sutskever et al., ICML 2013; AdamW: I. Loshchilov, F. Hutter, "Decoupled
    weight decay regularization", ICLR 2019; Muon: K. Jordan et al., "Muon", 2024.

    Examples
    --------
    >>> optimizer = make_optimizer(nn.Linear(2, 1), TrainingOptions(weight_decay=0.1))
    >>> [group["weight_decay"] for group in optimizer.param_groups]
    [0.1, 0.0]
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    weights = [p for p in parameters if p.ndim > 1]
    fused = all(p.device.type in _FUSED for p in parameters)
    rest: Group = {
        "params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0, "scale": options.bias_rate
    }  # fmt: skip
    if options.optimizer == "muon":
        hidden = hidden_matrices(module)
        others = [p for p in weights if not any(p is matrix for matrix in hidden)]
        groups = [{"params": others, "weight_decay": options.weight_decay, "scale": 1.0}, rest]
        if not hidden:
            return _adamw(_filled(groups), options, fused)
        return MuonWithAdamW(hidden, _adamw(_filled(groups), options, fused), options)
    groups = _filled([{"params": weights, "weight_decay": options.weight_decay, "scale": 1.0}, rest])
    if options.optimizer == "sgd":
        nesterov = options.momentum > 0
        return SGD(groups, lr=options.learning_rate, momentum=options.momentum, nesterov=nesterov, fused=fused)
    return _adamw(groups, options, fused)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of every group, by its scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def hidden_matrices(module: nn.Module) -> list[nn.Parameter]:
    """The weights that Muon is for: those of hidden layers, of convolutions too.

    Embeddings and the last layer are left out, as their author advises.

    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2), nn.Linear(2, 5))
    >>> [tuple(weight.shape) for weight in hidden_matrices(network)]
    [(2, 1, 3, 3), (2, 2)]
    """
    embedded = {id(m.weight) for m in module.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    found = [p for p in module.parameters() if p.requires_grad and p.ndim > 1 and id(p) not in embedded]
    return found[:-1]


class MuonWithAdamW(Optimizer):
    """Hidden matrices by Muon, the rest by AdamW, as one optimiser.

    One learning rate serves both: an update of Muon is scaled to the size that AdamW's has (J. Liu et al., "Muon is
    scalable for LLM training", 2025, section 2.2). Convolutions are seen as matrices (out, in x height x width).

    Parameters
    ----------
    matrices
        For Muon.
    adamw
        Of all other parameters.
    """

    def __init__(self, matrices: list[nn.Parameter], adamw: Optimizer, options: TrainingOptions) -> None:
        self._adamw = adamw
        self._seen: list[tuple[nn.Parameter, Tensor, Callable[[Tensor], Tensor]]] = []
        for weight in matrices:
            look = _as_matrix(weight)
            self._seen.append((weight, look(weight.detach()), look))
        self._muon = Muon(
            [matrix for _, matrix, _ in self._seen],
            lr=options.learning_rate,
            weight_decay=options.weight_decay,
            momentum=options.momentum,
            adjust_lr_fn="match_rms_adamw",
        )
        first = {"params": matrices, "weight_decay": options.weight_decay, "scale": 1.0}
        super().__init__([first, *adamw.param_groups], {"lr": options.learning_rate})
        self._share_state()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # nothing here asks for the loss again
        """Take one step; the learning rates are those of ``param_groups``."""
        self._muon.param_groups[0]["lr"] = self.param_groups[0]["lr"]
        for group, own in zip(self.param_groups[1:], self._adamw.param_groups, strict=True):
            own["lr"] = group["lr"]
        for weight, matrix, look in self._seen:
            matrix.grad = None if weight.grad is None else look(weight.grad)
        self._muon.step()  # type: ignore[no-untyped-call]  # no stub types it
        for _, matrix, _ in self._seen:
            matrix.grad = None
        self._adamw.step()
        self._share_state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As it was when ``state_dict`` was called."""
        super().load_state_dict(state_dict)
        for weight, matrix, _ in self._seen:
            if weight in self.state:
                self._muon.state[matrix] = self.state[weight]
        for group in self._adamw.param_groups:
            for weight in group["params"]:
                if weight in self.state:
                    self._adamw.state[weight] = self.state[weight]

    def _share_state(self) -> None:
        """Show the state of both, so that checkpoints find it."""
        for weight, matrix, _ in self._seen:
            if matrix in self._muon.state:
                self.state[weight] = self._muon.state[matrix]
        self.state.update(self._adamw.state)


def _as_matrix(weight: Tensor) -> Callable[[Tensor], Tensor]:
    """How a weight is seen as a matrix without copying it; Muon does not mind the order of the columns."""
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous():
        return lambda tensor: tensor.permute(0, 2, 3, 1).reshape(len(tensor), -1)
    return lambda tensor: tensor.reshape(len(tensor), -1)


def _adamw(groups: list[Group], options: TrainingOptions, fused: bool) -> Optimizer:
    return AdamW(groups, lr=options.learning_rate, betas=(options.momentum, 0.999), fused=fused)


def _filled(groups: list[Group]) -> list[Group]:
    return [group for group in groups if group["params"]]
