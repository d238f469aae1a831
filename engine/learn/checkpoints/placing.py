"""A checkpoint of any number of processes, as one process of another number needs it.

Called by the training loop when it goes on from a checkpoint. Weights that are cut are read in the rows that this
process holds; random generators are its own where the checkpoint knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from engine.compute.world import World
from engine.learn.checkpoints import random_state
from engine.learn.checkpoints.checkpoint import Checkpoint
from engine.learn.checkpoints.restore import Parts
from engine.learn.checkpoints.sharded import Pieces
from engine.learn.parallel import own_random
from engine.learn.shards import split


def placed(checkpoint: Checkpoint, parts: Parts, world: World) -> Checkpoint:
    """A checkpoint of any world as this process needs it: its shards of sharded tensors, its random generators."""
    if world.is_single and "random.cpu" in checkpoint.tensors:
        return checkpoint
    likes = _sharded(parts)
    made: dict[str, Tensor] = {}
    for name in checkpoint.tensors:
        plain, _, rank = name.partition("@")
        like = likes.get(plain)
        if plain.startswith("random."):
            if rank in ("", str(world.rank)):
                made[plain] = checkpoint.tensors[name]
        elif like is None or list(like.shape) != _shape(checkpoint.tensors, name):
            made[name] = checkpoint.tensors[name]
        else:
            made[name] = _shard_of(checkpoint.tensors, name, like)
    if "random.cpu" not in made or not _is_own(checkpoint.tensors, world):
        own_random(world, checkpoint.step)
        made |= _present_random(parts)
    return replace(checkpoint, tensors=made)


def _sharded(parts: Parts) -> dict[str, Any]:
    """The tensors of a training that are sharded, by their names in a checkpoint."""
    from torch.distributed.tensor import DTensor

    weights = {name: t for name, t in parts.module.state_dict().items() if isinstance(t, DTensor)}
    found = {f"{group}.{name}": t for group in ("model", "best", "average") for name, t in weights.items()}
    ordered = [weight for group in parts.optimizer.param_groups for weight in group["params"]]
    for index, weight in enumerate(ordered):
        if isinstance(weight, DTensor):
            found |= {f"optimizer.{index}.{name}": weight for name in ("exp_avg", "exp_avg_sq", "momentum_buffer")}
    return found


def _shard_of(tensors: Mapping[str, Tensor], name: str, like: Any) -> Tensor:
    from torch.distributed.tensor import DTensor

    local, (_, offset) = split(like)
    if isinstance(tensors, Pieces):
        part = tensors.part(name, offset, local.shape)
    else:
        part = tensors[name][tuple(slice(a, a + n) for a, n in zip(offset, local.shape, strict=True))]
    return DTensor.from_local(
        part.to(local.device),
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


def _shape(tensors: Mapping[str, Tensor], name: str) -> list[int]:
    return tensors.shape(name) if isinstance(tensors, Pieces) else list(tensors[name].shape)


def _is_own(tensors: Mapping[str, Tensor], world: World) -> bool:
    """True when the generators in a checkpoint are those of a world of this size."""
    if "random.cpu" in tensors:
        return world.is_main
    return world.is_main or f"random.cpu@{world.size - 1}" in tensors and f"random.cpu@{world.size}" not in tensors


def _present_random(parts: Parts) -> dict[str, Tensor]:
    return {f"random.{name}": tensor for name, tensor in random_state.full_state(parts.device).items()}
