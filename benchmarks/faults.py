"""Trainings that fail on purpose: what goes wrong, where and how badly is drawn from a seed.

Used by `benchmarks.precision` with our loop and by `benchmarks.faults_lightning` with Lightning's, so it needs nothing
but PyTorch. One training is one epoch of 160 steps on 32 numbers in 4 classes, with a small network.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor, nn

KINDS = ("overflow", "poison", "shock", "tiny", "nan")
EXTRA = "cancel"
STEPS, BATCH, WIDTH, CLASSES, LAYERS = 160, 32, 32, 4, 4
HELD_OUT = 1024


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind
        ``"overflow"``: activations of one layer leave the range of fp16; ``"poison"``: numbers of some examples are
        ``size`` times too large; ``"shock"``: the learning rate is ``size`` times too high; ``"tiny"``: bf16 weights
        and updates too small for them; ``"nan"``: examples hold NaN or infinity; ``"cancel"``: a layer adds a large
        number and takes it away again, which leaves nothing of the signal in bf16.
    step, steps
        When it begins and how long it lasts.
    rows
        Examples of a batch that are hit.
    """

    kind: str
    seed: int
    step: int
    steps: int
    layer: int
    size: float
    rows: int
    norm: str
    optimizer: str

    @property
    def rate(self) -> float:
        """The learning rate without the fault."""
        if self.kind == "tiny":
            return self.size
        return 3e-3 if self.optimizer == "adamw" else 0.05

    def hits(self, step: int) -> bool:
        """True at the steps that are hit."""
        return self.step <= step < self.step + self.steps

    def rate_at(self, step: int) -> float:
        """What the learning rate is multiplied by at a step."""
        return self.size if self.kind == "shock" and self.hits(step) else 1.0


def draw(kind: str, seed: int) -> Fault:
    """The fault of a kind that a seed stands for.

    >>> draw("nan", 3) == draw("nan", 3), draw("nan", 3) == draw("nan", 4)
    (True, False)
    """
    dice = random.Random(f"{kind} {seed}")
    step = dice.randrange(STEPS - 10)
    steps = dice.choice([1, 3, 20, STEPS])
    size = {
        "overflow": 10 ** dice.uniform(4, 7), "poison": 10 ** dice.uniform(2, 12), "shock": 10 ** dice.uniform(2, 6),
        "tiny": 10 ** dice.uniform(-4.7, -4), "nan": dice.choice([math.nan, math.inf, -math.inf]),
        "cancel": 10 ** dice.uniform(3, 4),
    }[kind]  # fmt: skip
    if kind in ("poison", "nan"):
        steps = dice.choice([1, 2, 4])
    return Fault(
        kind=kind, seed=seed, step=step, steps=steps, layer=dice.randrange(LAYERS - 1), size=size,
        rows=dice.randint(1, BATCH), norm="layer" if kind == "overflow" else dice.choice(["none", "batch", "layer"]),
        optimizer="adamw" if kind == "tiny" else dice.choice(["adamw", "sgd"]),
    )  # fmt: skip


def data(fault: Fault, clean: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Examples in the order in which they are learned, their classes, and the same held out.

    The last number of an example marks those whose activations overflow.
    """
    generator = torch.Generator().manual_seed(fault.seed)
    centres = torch.randn(CLASSES, WIDTH, generator=generator)
    count = STEPS * BATCH + HELD_OUT
    y = torch.randint(0, CLASSES, (count,), generator=generator)
    x = centres[y] + 2.0 * torch.randn(count, WIDTH, generator=generator)
    x = torch.cat([x, torch.zeros(count, 1)], 1)
    for step in range(STEPS) if not clean else ():
        rows = slice(step * BATCH, step * BATCH + fault.rows)
        if fault.hits(step):
            if fault.kind == "overflow":
                x[rows, -1] = 1.0
            elif fault.kind == "poison":
                x[rows, :-1] *= fault.size
            elif fault.kind == "nan":
                x[rows, fault.layer] = fault.size
    learn = STEPS * BATCH
    return x[:learn], y[:learn], x[learn:], y[learn:]


class Network(nn.Module):
    """Some layers, one of them weak."""

    def __init__(self, fault: Fault, clean: bool) -> None:
        super().__init__()
        torch.manual_seed(fault.seed)
        sides = [WIDTH] + [48] * (LAYERS - 1)
        kinds = {"none": lambda side: nn.Identity(), "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sides, sides[1:], strict=False))
        self.norms = nn.ModuleList(kinds[fault.norm](side) for side in sides[1:])
        self.head = nn.Linear(sides[-1], CLASSES)
        self.fault, self.clean = fault, clean
        if fault.kind == "tiny" and not clean:
            self.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (B, CLASSES) of inputs (B, WIDTH + 1)."""
        marked, h = x[:, -1:], x[:, :-1]
        if self.fault.kind == "tiny":
            h = h.to(self.layers[0].weight.dtype)
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            h = layer(h)
            if index == self.fault.layer and not self.clean:
                if self.fault.kind == "overflow":
                    h = torch.where(marked > 0, h * self.fault.size, h)
                elif self.fault.kind == "cancel":
                    h = (h + self.fault.size) - self.fault.size
            h = torch.relu(norm(h))
        return self.head(h)


def judge(module: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and accuracy in fp32 on what was held out."""
    module.eval().float()
    with torch.no_grad():
        outputs = module(x)
    return float(nn.functional.cross_entropy(outputs, y)), float((outputs.argmax(1) == y).float().mean())


@dataclass(frozen=True)
class Outcome:
    """How a training ended: its loss before and after, and its accuracy; with the error that ended it."""

    before: float
    loss: float
    accuracy: float
    error: str = ""


def recovered(fault: Fault, outcome: Outcome, clean: Outcome) -> bool:
    """True when a training ended by itself, within 2 points of the accuracy of the same one without a fault.

    With tiny updates nothing gets worse, it only does not get better: there it is at least half of the way that the
    loss comes down without the fault.
    """
    if outcome.error or not math.isfinite(outcome.loss):
        return False
    if fault.kind == "tiny":
        return outcome.before - outcome.loss >= 0.5 * (clean.before - clean.loss)
    return outcome.accuracy >= clean.accuracy - 0.02
