"""What ranks run in the tests; `deed` says what goes wrong, once: a file in the work folder remembers it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import torch

from engine.errors import CancelledRun, UserError


def main(arguments: dict[str, Any], ctx: Any, world: Any) -> Any:
    saved = ctx.workdir / "step"
    start = int(saved.read_text()) if saved.exists() else 0
    total = torch.tensor(float(start))
    for step in range(start, arguments["steps"]):
        world.beat(step, "load")
        go_wrong(arguments, ctx, world, step)
        world.beat(step, "compute")
        total += world.mean(torch.ones(()))
        ctx.metric("total", float(total), step)
        if world.is_main and step % 2 == 1:
            saved.write_text(str(step + 1))
        if world.lead(world.wish())[0]:
            raise CancelledRun
        time.sleep(arguments.get("pause_s", 0.0))
    ctx.log("Rank {rank} is done", rank=world.rank)
    return {"total": float(total), "size": world.size, "start": start}


def go_wrong(arguments: dict[str, Any], ctx: Any, world: Any, step: int) -> None:
    mark = ctx.workdir / "went-wrong"
    deed = arguments.get("deed")
    if deed is None or world.rank != 1 or step != 5 or (mark.exists() and not arguments.get("always")):
        return
    mark.touch()
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif deed == "sleep":
        time.sleep(600)
    elif deed == "user":
        raise UserError("The {thing} is wrong", field="epochs", hint="Mend it.", thing="number")
    elif deed == "bug":
        raise ZeroDivisionError("by hand")
