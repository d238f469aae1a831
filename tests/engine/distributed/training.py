"""What ranks train in the tests: small networks, on examples made from a seed. Also called with a world of one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from engine.compute import applied
from engine.compute.world import World
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.sharded import ShardedFolder
from engine.learn.shards import whole
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan


def main(arguments: dict[str, Any], ctx: Any, world: World) -> dict[str, Any]:
    """Train as the arguments say; the weights go to `weights.safetensors`."""
    plan = ExecutionPlan(threads=1, precision=arguments.get("precision", "fp32"))
    with applied(plan, 0):
        module = network(arguments.get("width", 16))
        watched = ctx if "deed" not in arguments else Saboteur(ctx, world, arguments)
        folder = ShardedFolder(
            Path(arguments.get("checkpoints", ctx.workdir / "c")), arguments.get("every", 0), world=world
        )
        result = train(
            module,
            blobs(101, poisoned=arguments.get("poisoned")),
            TrainingOptions(**{"epochs": 3, "batch_size": 16, "learning_rate": 0.02, **arguments.get("options", {})}),
            watched,
            validation=blobs(37, seed=9),
            checkpoints=folder if arguments.get("every") else None,
            world=world,
            plan=plan,
        )
        weights = whole(module)
    if world.is_main:
        save_file({name: t.contiguous() for name, t in weights.items()}, ctx.workdir / "weights.safetensors")
    return {"metrics": result.metrics, "history": result.history, "size": world.size}


def network(width: int = 16) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, width), nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3)
    )


def blobs(count: int, seed: int = 0, poisoned: int | None = None) -> TrainingData:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 3
    inputs = 2 * torch.eye(4)[:3][targets] + torch.randn(count, 4, generator=generator)
    if poisoned is not None:
        inputs[poisoned] = float("nan")
    return TrainingData(Examples(inputs), targets)


class Saboteur:
    """A context that kills or stops one rank at a step, once; the others are busy with that step for a while."""

    def __init__(self, ctx: Any, world: World, arguments: dict[str, Any]) -> None:
        self._ctx, self._world, self._arguments = ctx, world, arguments
        self._steps = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def check_cancelled(self) -> None:
        self._steps += 1
        mark = self._ctx.workdir / "went-wrong"
        if self._steps != self._arguments["at"]:
            return
        if self._world.rank != self._arguments["rank"]:
            time.sleep(self._arguments.get("busy_s", 0.0))
        elif not mark.exists():
            mark.touch()
            os.kill(os.getpid(), getattr(signal, self._arguments["deed"]))
