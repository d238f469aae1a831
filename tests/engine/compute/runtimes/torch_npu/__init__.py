"""A pretend ``torch_npu``: an NPU whose memory and arithmetic are the CPU's, on PyTorch's PrivateUse1 slot.

Imported by name, as the real one is, by :class:`engine.compute.backends.npu.Npu`. Every operation on its tensors
reaches the kernel below, by dispatch: factories through the backend fallback, the rest through the tensor's class.
What it proves is that nothing between a plan and a trained network names a vendor. It proves nothing about Ascend
hardware, its streams, its memory or its lower precisions (it has none, and is one device, as all backends in Python).
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "npu"
KERNELS: Counter[str] = Counter()
"""How often each operation ran."""


class NpuTensor(torch.Tensor):
    """A tensor that says it is on the NPU; its numbers are in a tensor of the CPU with the same strides."""

    raw: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> NpuTensor:
        shape = {"strides": raw.stride(), "storage_offset": raw.storage_offset(), "dtype": raw.dtype}
        tensor = torch.Tensor._make_wrapper_subclass(cls, raw.shape, **shape, device=torch.device(NAME, 0))
        tensor.raw = raw
        return tensor

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return kernel(operation, args, kwargs or {})

    def tolist(self) -> Any:
        return self.raw.tolist()


def kernel(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run one operation on the CPU; what it gives is on the NPU when an input was, or when it was asked for there."""
    KERNELS[operation.name()] += 1
    known = {id(t.raw): t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, NpuTensor)}
    asked = kwargs.get("device")
    onto_npu = bool(known) if asked is None else torch.device(asked).type == NAME
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args_cpu, kwargs_cpu = pytree.tree_map(lambda t: t.raw if isinstance(t, NpuTensor) else t, (args, kwargs))
    result = operation(*args_cpu, **kwargs_cpu)
    if operation is torch.ops.aten.copy_.default:
        return args[0]

    def wrap(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not onto_npu:
            return value
        # An operation in place gives back the tensor that it was given.
        return known[id(value)] if id(value) in known else NpuTensor(value)

    return pytree.tree_map(wrap, result)


def copy_from(source: Any, target: NpuTensor, non_blocking: bool = False) -> NpuTensor:
    """What ``torch.tensor(..., device="npu")`` calls, with the tensor's class switched off."""
    target.raw.copy_(source.raw if isinstance(source, NpuTensor) else source)
    return target


class Runtime(_DummyBackendModule):
    """``torch.npu``."""

    def get_device_properties(self, index: int) -> Any:
        return SimpleNamespace(name="Pretend NPU", total_memory=2**30)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return []

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    def synchronize(self, device: Any = None) -> None:
        pass


_setup_privateuseone_for_python_backend(NAME, backend_module=Runtime())
FALLBACKS = torch.library.Library("_", "IMPL")
FALLBACKS.fallback(lambda operation, *args, **kwargs: kernel(operation, args, kwargs), "PrivateUse1")
FALLBACKS.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
KERNEL = torch.library.Library("aten", "IMPL")
KERNEL.impl("_copy_from", copy_from, "PrivateUse1")
