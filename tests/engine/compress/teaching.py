"""What ranks distil in the tests. Also called with a world of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from safetensors.torch import save_file

from engine.compute import applied
from engine.compute.world import World
from engine.learn import TrainingOptions, train
from engine.learn.distil import Distillation
from engine.learn.shards import whole
from engine.spec import ExecutionPlan
from tests.engine.distributed.training import blobs, network


def main(arguments: dict[str, Any], ctx: Any, world: World) -> dict[str, Any]:
    """Train a student; the weights go to `weights.safetensors`."""
    plan = ExecutionPlan(threads=1, precision="fp32")
    with applied(plan, 0):
        module, teacher = network(8), network(24)
        # hidden layers of two widths are compared by pairs of examples, so only what is compared for each is tested
        data = replace(blobs(96), distillation=Distillation(teacher, weight=0.7))
        train(module, data, TrainingOptions(epochs=2, batch_size=16, learning_rate=0.02), ctx, world=world, plan=plan)
        weights = whole(module)
    if world.is_main:
        save_file({name: t.contiguous() for name, t in weights.items()}, ctx.workdir / "weights.safetensors")
    return {}
