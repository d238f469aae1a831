"""How the training loop trains on several processes: DDP or FSDP2, and what a step and an epoch do then.

Called by the training loop and :mod:`engine.learn.here`, always: in a world of one process every function here gives
back what it was given. A batch is the same batch whatever the number of processes; each process computes its share of
it (:meth:`engine.compute.world.World.share`), so N processes take the steps that one would take, up to rounding.

DDP (S. Li et al., "PyTorch Distributed", VLDB 2020): every process holds the network; gradients are averaged while the
backward pass still runs. FSDP2 (Y. Zhao et al., "PyTorch FSDP", VLDB 2023): every process holds a part of each weight,
its gradient and its optimiser state, and the whole weight only while a layer is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from engine.compute.devices import find_device
from engine.compute.world import Share, World
from engine.errors import CancelledRun, InterruptedRun, UserError
from engine.learn.options import TrainingOptions
from engine.spec.context import Choice

BYTES_A_WEIGHT = 16
"""Weight, gradient and two moments in float32."""
SHARE_OF_MEMORY = 0.5
SHARD_FROM = 100_000
"""Weights of a layer that is worth a message of its own."""
RUNGS = ("fp32", "tf32", "bf16", "fp16")
STOP_CODES: dict[int, type[CancelledRun]] = {1: CancelledRun, 2: InterruptedRun}


class Network:
    """A network as a step calls it.

    Attributes
    ----------
    module
        The bare one: its weights, its own methods. For FSDP the weights in it are sharded now.
    strategy
        ``"none"``, ``"ddp"`` or ``"fsdp"``.
    """

    def __init__(self, module: nn.Module, world: World, strategy: str = "auto") -> None:
        self.module = module
        self._ddp: Any = None
        chosen = "none" if world.is_single else chosen_strategy(module, world, strategy)
        self.strategy = chosen
        if chosen == "ddp":
            self._ddp = _ddp(module)
        elif chosen == "fsdp":
            _shard(module, world)
        self.call: Callable[[Tensor], Tensor] = self._ddp or module

    def parts_of_a_step(self, last: bool) -> AbstractContextManager[None]:
        """Around the forward pass of one part of a batch: gradients travel once, behind the last part.

        FSDP sends them after each part: kept whole they would need the memory that it is there to save.
        """
        if last or self._ddp is None:
            return nullcontext()
        quiet: AbstractContextManager[None] = self._ddp.no_sync()
        return quiet


def chosen_strategy(module: nn.Module, world: World, wanted: str) -> str:
    """``"ddp"`` where the whole training fits into each process's memory, else ``"fsdp"``, unless one is wanted."""
    if wanted != "auto":
        return wanted
    device = next(module.parameters()).device
    memory_mib = find_device(str(device)).memory_mib
    sharers = (world.local_size or world.size) if device.type == "cpu" else 1
    needed = sum(p.numel() for p in module.parameters()) * BYTES_A_WEIGHT
    if memory_mib is None:
        return "ddp"
    return "ddp" if needed < SHARE_OF_MEMORY * memory_mib * 2**20 / sharers else "fsdp"


def check(options: TrainingOptions, world: World) -> None:
    """Refuse what cannot work on this many processes.

    Raises
    ------
    UserError
        Naming the parameter.
    """
    if world.is_single:
        return
    if options.batch_size < 2 * world.size:
        raise UserError(
            "A batch of {batch_size} is too small for {processes} processes: each needs 2 examples",
            field="batch_size",
            hint="Use a batch size of at least {least}, or fewer devices.",
            batch_size=options.batch_size,
            processes=world.size,
            least=2 * world.size,
        )
    if options.optimizer == "muon" and options.strategy == "fsdp":
        raise UserError(
            "Muon needs whole matrices, and FSDP cuts them",
            field="strategy",
            hint="Use DDP, or another optimiser.",
        )


def weight_of(share: Share, asked: Tensor | int, world: World) -> float | Tensor | None:
    """What the mean loss of a process is multiplied by; None in a world of one.

    Parameters
    ----------
    asked
        How many answers the mean was taken over. A tensor (texts have padding) is added up over the processes.
    """
    if world.is_single:
        return None
    if isinstance(asked, int):
        return share.weight
    counted = asked.double() if share.count else torch.zeros_like(asked, dtype=torch.float64)
    return (counted * world.size / world.sum(counted).clamp(min=1)).float()


def own_random(world: World, seed: int) -> None:
    """From here on each process draws its own numbers: they see different examples."""
    if world.rank:
        torch.manual_seed((seed + 1_000_003 * world.rank) % 2**63)


def agree(world: World, *flags: bool) -> tuple[bool, ...]:
    """What rank 0 found by its clock, on all; and the end, on all, when the run wants it.

    Raises
    ------
    CancelledRun
        On every process in the same step.
    """
    if world.is_single:
        return flags
    stop, *said = world.lead(world.wish(), *map(int, flags))
    if stop:
        raise STOP_CODES[stop]
    return tuple(map(bool, said))


def same_choice(world: World, choose: Callable[[], Choice]) -> Choice:
    """What rank 0 chose by its clock, on all; the others wait for it."""
    if world.is_single:
        return choose()
    chosen = choose() if world.is_main else Choice()
    layouts = ("contiguous", "channels_last")
    rung, layout, compiles = world.lead(
        RUNGS.index(chosen.precision), layouts.index(chosen.memory_format), int(chosen.compile)
    )
    return Choice.model_validate(
        {"precision": RUNGS[rung], "memory_format": layouts[layout], "compile": bool(compiles)}
    )


def _ddp(module: nn.Module) -> nn.Module:
    device = next(module.parameters()).device
    # A network with a loss of its own routes: not every weight has a gradient in every step.
    routes = hasattr(module, "extra_loss")
    ids = None if device.type == "cpu" else [device]
    made: nn.Module = nn.parallel.DistributedDataParallel(module, device_ids=ids, find_unused_parameters=routes)
    return made


def _shard(module: nn.Module, world: World) -> None:
    """Cut weights, layer by layer: the elements of lists of layers that are large, then the rest."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(module.parameters()).device.type, (world.size,))
    for parent in module.modules():
        if isinstance(parent, (nn.ModuleList, nn.Sequential)):
            for layer in parent.children():
                if layer is not module and sum(p.numel() for p in layer.parameters()) >= SHARD_FROM:
                    fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)
