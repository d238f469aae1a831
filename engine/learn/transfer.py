"""Learn from few examples with what a network learned from many: its features, and a fresh last layer on them.

Called by ``train.transfer`` and ``train.finetune``. What the network makes of every example is computed once; then only
the last layer is trained, by the same loop as everything else. Needs a network with a method ``features`` and a linear
last layer, as all of :mod:`engine.models` have that end in classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, ModelRef
from engine.compute.plan import applied
from engine.errors import UserError
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.choosing import block_plan
from engine.learn.here import Fitted, finished
from engine.learn.loop import train
from engine.learn.options import TrainingOptions
from engine.learn.prepare import prepare
from engine.learn.state import TrainingData
from engine.models import find
from engine.runtime.examples import Examples
from engine.runtime.models import WEIGHTS
from engine.runtime.predictor import forward
from engine.spec import RunContext


class HeadFirst:
    """A run's context for the first of two trainings: what it measures is called ``head_...``.

    Parameters
    ----------
    ctx
        The block's own; everything but metrics goes there as it is.
    """

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def metric(self, name: str, value: float, step: int) -> None:
        """Log one point of a metric under its other name."""
        self._ctx.metric(f"head_{name}", value, step)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)


@dataclass(frozen=True)
class Scale:
    """Mean of each feature, float32 (F,), and one standard deviation for all of them, float32 ().

    One for all: a feature that hardly differs among few examples would be blown up by its own, and with it whatever
    other examples show in it.
    """

    mean: Tensor
    deviation: Tensor


def transfer(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    ctx: RunContext,
    wishes: Mapping[str, Any] | None = None,
) -> Fitted:
    """Train the last layer of a network that has learned already; the rest of it stays as it is.

    Parameters
    ----------
    model
        With weights, such as public ones.
    validation
        Measured after each epoch.
    wishes
        As in :func:`engine.learn.fit.fit`.

    Raises
    ------
    UserError
        When the model has no weights, or its network is of a kind that has no features.

    Notes
    -----
    Source: J. Yosinski et al., "How transferable are features in deep neural networks?", NeurIPS 2014; A. Sharif
    Razavian et al., "CNN features off-the-shelf", CVPR workshops 2014.
    """
    if WEIGHTS not in model.files:
        raise UserError(
            "The model has no weights to take features from",
            field="model",
            hint="Set the starting weights of the model to public, or train it first.",
        )
    plan = block_plan(ctx.plan, wishes or {})
    with applied(plan, ctx.seed) as place:
        ready = prepare(model, dataset, options.task, place)
        layer = last_layer(ready.module, ready.spec.architecture)
        train_NF = features_of(ready.module, ready.data.examples, ctx)
        scale = Scale(train_NF.mean(0), train_NF.var(0, unbiased=False).mean().sqrt().clamp(min=1e-6))
        checked = None
        if validation is not None:
            other = ready.other(validation, place)
            checked = _on_features(other, features_of(ready.module, other.examples, ctx), scale)
        ctx.log(
            "Training the last layer of {architecture} on {features} features of {count} examples",
            architecture=ready.spec.architecture,
            features=train_NF.shape[1],
            count=len(train_NF),
        )
        head = nn.Linear(layer.in_features, layer.out_features).to(place)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        result = train(
            head,
            _on_features(ready.data, train_NF, scale),
            options,
            ctx,
            validation=checked,
            seed=ctx.seed,
            checkpoints=CheckpointFolder(ctx.workdir / "head", options.checkpoint_steps),
            identity={"model": model.digest, "dataset": dataset.digest, "options": repr(options), "seed": ctx.seed},
        )
        fold(head, scale, layer)
    return finished(ready, dataset, result, plan, ctx)


def last_layer(module: nn.Module, architecture: str) -> nn.Linear:
    """The layer that a network ends in.

    Raises
    ------
    UserError
        When it has none that could be trained by itself.
    """
    heads = find(architecture).heads
    layer = module.get_submodule(heads[0].removesuffix(".")) if heads else None
    if not isinstance(layer, nn.Linear) or not callable(getattr(module, "features", None)):
        raise UserError(
            "The {name} has no features to learn from",
            field="model",
            hint="Take an image network or BERT with public weights, or train the whole model.",
            name=architecture,
        )
    return layer


def features_of(module: nn.Module, examples: Examples, ctx: RunContext) -> Tensor:
    """What the last layer would see of every example: float32 (N, F), on the examples' device."""

    def tell(done: int, total: int) -> None:
        ctx.check_cancelled()
        ctx.progress(done, total, "examples")

    return forward(_Features(module), examples, tell).clone()


def fold(head: nn.Linear, scale: Scale, into: nn.Linear) -> None:
    """Write a layer that was trained on scaled features into one that sees them as they are.

    >>> head, into = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> x, scale = torch.tensor([[3.0, 8.0]]), Scale(torch.tensor([1.0, 2.0]), torch.tensor(2.0))
    >>> fold(head, scale, into)
    >>> bool(torch.allclose(into(x), head((x - scale.mean) / scale.deviation)))
    True
    """
    with torch.no_grad():
        weight = head.weight / scale.deviation
        into.weight.copy_(weight)
        into.bias.copy_(head.bias - weight @ scale.mean)


class _Features(nn.Module):
    """A network without its last layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.features: Callable[[Tensor], Tensor] = network.features  # type: ignore[assignment]  # a module that is called

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


def _on_features(data: TrainingData, features_NF: Tensor, scale: Scale) -> TrainingData:
    scaled = (features_NF - scale.mean) / scale.deviation
    return replace(data, examples=Examples(scaled, device=data.examples.device), augment=None)
