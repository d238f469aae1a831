"""INT8 with training: the network learns to compute in whole numbers, with its float self as the teacher.

Called by the compress block and the search. It starts from INT8 after training, whose ranges were chosen by
measurement, and trains weights, biases and the scales of all roundings in the ordinary loop. What is ours: the start,
the teacher, and scales that are learned by their logarithm, so that one learning rate suits the weights and all scales.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from engine.compress.calibrate import ChosenRange
from engine.compress.int8 import Int8
from engine.compress.rounding import Rounded, round_trip
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.distil import Distillation
from engine.learn.distil.teacher import asks_the_same
from engine.learn.loop import train
from engine.learn.options import TrainingOptions
from engine.learn.state import TrainingData
from engine.spec import RunContext

PRECISION = "fp32"
"""A rounded value has up to 8 bits and a scale; what bf16 drops is as large as what is learned here."""


def train_int8(
    int8: Int8,
    data: TrainingData,
    options: TrainingOptions,
    ctx: RunContext,
    teacher: nn.Module | None = None,
    *,
    validation: TrainingData | None = None,
    seed: int = 0,
    checkpoints: CheckpointFolder | None = None,
    identity: Mapping[str, Any] | None = None,
) -> Int8:
    """Train a rounded network, so that its answers come closer to what they were in floats.

    Parameters
    ----------
    int8
        From :func:`engine.compress.int8.quantize_int8`; left untouched.
    data
        What the network learned from.
    options
        ``distil`` says how the teacher is followed; only its answers are.
    teacher
        The network in floats, on the device of the examples; None: only the targets count.
    validation, seed, checkpoints, identity
        As in :func:`engine.learn.loop.train`.

    Returns
    -------
    Int8
        On the CPU; ranges follow from the learned scales.

    Notes
    -----
    Sources: S. Esser et al., "Learned step size quantization", ICLR 2020 (gradients of scales and their size); S. Jain
    et al., "Trained quantization thresholds", MLSys 2020 (learning the logarithm); A. Mishra, D. Marr, "Apprentice",
    ICLR 2018 (the float network as the teacher).
    """
    graph = learnable(int8.graph).to(data.examples.device)
    if teacher is not None:
        distil = options.distil
        guide = Distillation(teacher, distil.temperature, distil.weight)
        if asks_the_same(data, options):
            guide.remember(data.examples, lambda done, total: ctx.check_cancelled())
        data = replace(data, distillation=guide)
    plan = ctx.plan.model_copy(update={"precision": PRECISION})
    train(
        graph, data, options, ctx,
        validation=validation, seed=seed, checkpoints=checkpoints, identity=identity, plan=plan,
    )  # fmt: skip
    trained = fixed(graph.cpu())
    return replace(int8, graph=trained, ranges=_ranges(trained, int8.ranges))


class LearnedRounding(nn.Module):
    """Rounds what passes through it, with a scale that is learned.

    Parameters
    ----------
    rounded
        What it starts as.
    """

    base: Tensor
    zero: Tensor

    def __init__(self, rounded: Rounded) -> None:
        super().__init__()
        # the logarithm of what the scale has grown by: exactly 1 before the first step
        self.growth = nn.Parameter(torch.zeros_like(rounded.scale))
        self.register_buffer("base", rounded.scale.detach().clone())
        self.register_buffer("zero", rounded.zero.detach().clone())
        self.grid, self.axis = rounded.grid, rounded.axis

    def forward(self, x: Tensor) -> Tensor:
        """The same shape, float32."""
        # as many numbers share a scale as lie in one example, or in one channel of a weight
        sharing = x.numel() / max(1, x.shape[max(0, self.axis)])
        scale = self.base * damped(self.growth, (sharing * self.grid.high) ** -0.5).exp()
        rounded: Tensor = round_trip(x.float(), scale, self.zero, self.axis, self.grid.low, self.grid.high)
        return rounded

    def fixed(self) -> Rounded:
        """The same with the scale that was learned."""
        return Rounded(self.base * self.growth.detach().exp(), self.zero, self.grid, self.axis)


class _Damped(torch.autograd.Function):
    """A value as it is, and its gradient times a factor (Esser et al. 2020, section 2.2)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.factor, None


def damped(value: Tensor, factor: float) -> Tensor:
    """A value as it is, whose gradient is multiplied by a factor.

    >>> x = torch.ones(1, requires_grad=True)
    >>> damped(x, 0.5).backward()
    >>> float(x.grad)
    0.5
    """
    made: Tensor = _Damped.apply(value, factor)  # type: ignore[no-untyped-call]  # torch gives it no type
    return made


def learnable(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy in which every scale is a parameter."""
    return _exchanged(graph, Rounded, LearnedRounding)


def fixed(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy in which every scale is a number, as it is exported.

    >>> from engine.compress.int8 import quantize_int8
    >>> small = quantize_int8(nn.Sequential(nn.Linear(4, 3)), [torch.randn(16, 4)]).graph
    >>> torch.equal(fixed(learnable(small))(torch.ones(2, 4)), small(torch.ones(2, 4)))
    True
    """
    return _exchanged(graph, LearnedRounding, LearnedRounding.fixed).eval()


def _exchanged(graph: fx.GraphModule, kind: type[nn.Module], make: Any) -> fx.GraphModule:
    made = copy.deepcopy(graph)
    for name, layer in list(made.named_modules()):
        if isinstance(layer, kind):
            made.set_submodule(name, make(layer))
    return made


def _ranges(graph: fx.GraphModule, before: Mapping[str, ChosenRange]) -> dict[str, ChosenRange]:
    """What each value's grid covers now."""
    found = {}
    for value, chosen in before.items():
        rounded = dict(graph.named_modules()).get(f"rounded_{value}")
        if not isinstance(rounded, Rounded):
            found[value] = chosen
            continue
        low, high = ((end - rounded.zero) * rounded.scale for end in (rounded.grid.low, rounded.grid.high))
        found[value] = replace(chosen, low=float(low), high=float(high))
    return found
