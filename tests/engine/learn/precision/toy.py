"""A small training loop that obeys a controller, and networks and data that fail on purpose."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from engine.compute.rungs import RUNGS
from engine.learn.precision import PrecisionController, PrecisionOptions

CPU = torch.device("cpu")
LOW = [RUNGS["bf16"], RUNGS["fp32"]]
HALF = [RUNGS["fp16"], RUNGS["bf16"], RUNGS["fp32"]]
ONLY = [RUNGS["fp32"]]


class Weak(nn.Module):
    """A layer whose outputs are ``size`` times as large when ``when`` says so."""

    def __init__(self, when: Any, size: float) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)
        self.when, self.size = when, size

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        return self.last(torch.relu(hidden * self.size if self.when(x, hidden) else hidden))


class Toy:
    """Trains on blobs; ``fault(number, x, y)`` may change a batch, ``rate(number)`` the learning rate."""

    def __init__(self, ladder=LOW, module=None, options=None, fault=None, rate=None, seed=0, start=None) -> None:
        torch.manual_seed(seed)
        self.module = module or nn.Sequential(
            nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3)
        )
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.01)
        generator = torch.Generator().manual_seed(seed)
        self.targets = torch.arange(96) % 3
        self.inputs = 2 * torch.eye(8)[self.targets] + torch.randn(96, 8, generator=generator)
        self.fault, self.rate, self.seed = fault, rate, seed
        self.said: list[dict[str, Any]] = []
        self.controller = PrecisionController(
            ladder, start or ladder[0], CPU, options=options or PrecisionOptions(), decide=self.decide
        )
        self.step = 0
        self.losses: dict[int, float] = {}
        self.rungs: dict[int, str] = {}
        self.loss = nn.functional.cross_entropy

    def decide(self, kind, step, template, evidence=None, **values) -> None:
        self.said.append({"kind": kind, "step": step, "said": template.format(**values), "evidence": evidence})

    def tensors(self) -> dict[str, Tensor]:
        found = dict(self.module.state_dict())
        for index, state in enumerate(self.optimizer.state.values()):
            found |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
        return {**found, "random": torch.get_rng_state()}

    def numbers(self) -> dict[str, Any]:
        return {"step": self.step}

    def put_back(self, tensors, numbers) -> None:
        self.module.load_state_dict({n: t for n, t in tensors.items() if n in self.module.state_dict()})
        kept = [name for name in tensors if name.startswith("optimizer.")]
        if not kept:
            self.optimizer.state.clear()
        for name in kept:
            _, index, key = name.split(".")
            list(self.optimizer.state.values())[int(index)][key].copy_(tensors[name])
        torch.set_rng_state(tensors["random"])
        self.step = numbers["step"]

    def run(self, steps: int, start: bool = True) -> Toy:
        self.module.train()
        if start:
            self.controller.watch(self, self.module, self.loss, self.step)
        while self.step < steps:
            self.one()
            if self.step == steps:
                self.judge(over=True)
        self.controller.finish(self.step)
        return self

    def one(self) -> None:
        control, number = self.controller, self.step
        if control.begin(number):
            rows = torch.randperm(96, generator=torch.Generator().manual_seed(1000 * self.seed + number))[:24]
            x, y = self.inputs[rows], self.targets[rows]
            if self.fault is not None:
                x, y = self.fault(number, x, y)
            for group in self.optimizer.param_groups:
                group["lr"] = control.rate(number, self.rate(number) if self.rate else 0.01)
            control.look(number, x, y)
            self.optimizer.zero_grad()
            with control.autocast():
                outputs = self.module(x)
            loss = self.loss(outputs.float(), y)
            control.backward(loss)
            norm = None
            if control.watches:
                control.unscale(self.optimizer)
                norm = nn.utils.get_total_norm([p.grad for p in self.module.parameters() if p.grad is not None])
            control.apply(self.optimizer)
            control.observe(number, loss, norm)
            self.losses[number], self.rungs[number] = float(loss.detach()), control.rung.name
        else:
            self.losses[number] = math.nan
        self.step += 1
        if control.due(self.step):
            self.judge()

    def judge(self, over=False) -> None:
        verdict = self.controller.verdict(self.step, over)
        if verdict.error is not None:
            raise verdict.error

    def kinds(self) -> list[str]:
        return [said["evidence"].get("cause", "") for said in self.said if "cause" in (said["evidence"] or {})]

    def good(self) -> bool:
        """True when the network has learned."""
        self.module.eval()
        with torch.no_grad():
            outputs = self.module(self.inputs)
        return bool((outputs.argmax(1) == self.targets).float().mean() > 0.8)
