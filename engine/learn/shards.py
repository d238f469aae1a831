"""Tensors of which several processes hold a part each, as FSDP cuts them.

Called by whatever reads or copies the weights of a training; a tensor that is not cut is given back as it is. They are
told by their methods: importing their class takes longer than a small training's first step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


def whole(module: nn.Module) -> dict[str, Tensor]:
    """The weights, put together from their shards; every process must call it."""
    return {name: one_tensor(tensor) for name, tensor in module.state_dict().items()}


def one_tensor(tensor: Tensor) -> Tensor:
    """A tensor as a whole, on every process; must be called by all where it is sharded."""
    put_together: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor if put_together is None else put_together()


def part_here(tensor: Tensor) -> Tensor:
    """The part of a sharded tensor that this process holds, in the same memory; any other tensor as it is."""
    part: Callable[[], Tensor] | None = getattr(tensor, "to_local", None)
    return tensor if part is None else part()


def on_cpu(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Copies on the CPU, of a sharded tensor this process's part; and where the parts belong."""
    kept: dict[str, Tensor] = {}
    offsets: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if hasattr(tensor, "to_local"):
            tensor, offsets[name] = split(tensor)
        kept[name] = tensor.detach().to("cpu", copy=True).contiguous()
    return kept, offsets


def split(tensor: Any) -> tuple[Tensor, tuple[tuple[int, ...], tuple[int, ...]]]:
    """The part of a sharded tensor that this process holds; its whole shape and where the part begins."""
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    _, offset = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
    return tensor.to_local(), (tuple(tensor.shape), tuple(offset))
