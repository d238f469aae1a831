"""One rank: ``python -m engine.distributed.rank FOLDER``, started by PyTorch's elastic agent, never by people.

It joins the others, calls ``main(arguments, ctx, world)`` of the module that the job names, and leaves with a status
that tells the agent what to do:

======  =====================================================================================
0       done, or stopped because the run asked for it
76      another rank was lost, so this one could not go on: nobody's fault here
10      an error that would come again: it is in ``errors/N.json``; starting anew is no use
======  =====================================================================================

Anything else, and every signal, is a lost rank: all start again from the last checkpoint.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import traceback
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine.compute.world import World
from engine.distributed.context import CANCELLED, INTERRUPTED, RankContext, wish
from engine.distributed.health import Pulse, resident_mib
from engine.distributed.messages import RankFolder, read_json, write_json
from engine.errors import CancelledRun, InterruptedRun, error_json
from engine.spec import ExecutionPlan

EXIT_ERROR = 10
EXIT_PEER_LOST = 76
PEER_WORDS = (
    "gloo",
    "connection closed by peer",
    "connection reset",
    "nccl",
    "hccl",
    "recvvalue failed",
    "broken pipe",
)
JOIN_S = 300
COLLECTIVE_S = 3600
"""Only a net below the watch for hung ranks, which is faster and names them."""
PR_SET_PDEATHSIG = 1


def main(folder: RankFolder) -> int:
    """Run this process's part of the job and return the exit status."""
    job = read_json(folder.job)
    _die_with(job["agent"])
    local_rank = int(os.environ["LOCAL_RANK"])
    faulthandler.register(signal.SIGUSR1, folder.stack(local_rank).open("a"), all_threads=False)
    device = device_of(job["device"], local_rank)
    pulse = Pulse(folder.beat(local_rank), _memory_of(device))
    try:
        return _run(folder, job, device, pulse, local_rank)
    except Exception as error:  # the boundary of the process: whatever it was, the agent must know
        traceback.print_exc()
        if is_peer_lost(error):
            return EXIT_PEER_LOST
        write_json(folder.error(local_rank), error_json(error))
        return EXIT_ERROR
    finally:
        sys.stdout.flush()


def _run(folder: RankFolder, job: dict[str, Any], device: str, pulse: Pulse, local_rank: int) -> int:
    from torch import distributed

    world = _join(folder, device, pulse, local_rank)
    plan = ExecutionPlan.model_validate(job["context"]["plan"])
    threads = max(1, plan.threads // world.local_size)
    ctx = RankContext(folder, job["context"], plan.model_copy(update={"device": device, "threads": threads}), world)
    result: dict[str, Any] = {}
    try:
        made = importlib.import_module(job["program"]).main(job["arguments"], ctx, world)
        result = {"made": made}
    except CancelledRun as error:
        result = {"stopped": INTERRUPTED if isinstance(error, InterruptedRun) else CANCELLED}
    pulse.beat(1 << 40, "end")
    ctx.close()
    if world.is_main:
        write_json(folder.result, result)
    world.barrier()
    distributed.destroy_process_group()
    return 0


def _join(folder: RankFolder, device: str, pulse: Pulse, local_rank: int) -> World:
    """Find the others through the agents' store and open the ways between them."""
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    kind = device.split(":")[0]
    backend = "gloo"
    if kind != "cpu":
        torch.accelerator.set_device_index(local_rank)
        backend = f"cpu:gloo,{kind}:{distributed.get_default_backend_for_device(kind)}"
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    shared = distributed.TCPStore(  # type: ignore[attr-defined]  # it is there, and not in its list of names
        address, port, is_master=False, timeout=timedelta(seconds=JOIN_S)
    )
    # One name for each start, on all machines: what an earlier start left in the store must not be found.
    store = PrefixStore(read_json(folder.round)["name"], shared)
    distributed.init_process_group(
        backend, store=store, rank=rank, world_size=size, timeout=timedelta(seconds=COLLECTIVE_S)
    )
    local_size = int(os.environ["LOCAL_WORLD_SIZE"])
    return World(rank, size, local_rank, local_size, pulse.beat, partial(wish, folder))


def device_of(wanted: str, local_rank: int) -> str:
    """The device of one rank: the CPU for all, else one accelerator each.

    >>> device_of("cuda:0", 1), device_of("cpu", 1)
    ('cuda:1', 'cpu')
    """
    kind = wanted.split(":")[0]
    return kind if kind == "cpu" else f"{kind}:{local_rank}"


def is_peer_lost(error: BaseException) -> bool:
    """True when an exception only says that another process went away.

    >>> is_peer_lost(RuntimeError("[gloo/transport/tcp/pair.cc:544] Connection closed by peer"))
    True
    >>> is_peer_lost(ValueError("no"))
    False
    """
    from torch import distributed

    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in PEER_WORDS)


def _memory_of(device: str) -> Any:
    if device == "cpu":
        return resident_mib
    import torch

    module = torch.get_device_module(device.split(":")[0])
    return lambda: module.memory_allocated() / 2**20


def _die_with(agent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != agent:  # it died before the line above
        os._exit(1)


if __name__ == "__main__":
    code = main(RankFolder(Path(sys.argv[1])))
    # Threads of the communication library may still wait for processes that are gone.
    sys.stdout.flush()
    os._exit(code)
