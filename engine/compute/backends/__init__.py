"""The kinds of devices: which there are, and at most one plug-in runtime in a process.

Called by :mod:`engine.compute.devices` and :mod:`engine.compute.rungs`. A vendor's runtime (``torch_npu``,
``torch_xla``) takes PyTorch over as it is imported: it claims the one free backend slot (PrivateUse1), which cannot be
given back, and ``torch.accelerator`` means that device from then on. Two of them in one process do not work, and
``torch_npu`` refuses it. So a process loads the runtime of the device that it was asked for and no other, and PyTorch's
own loading of every installed one is switched off for runs: ``TORCH_DEVICE_BACKEND_AUTOLOAD=0``, which
:mod:`engine.run.executor` and the supervisor's sandbox set before PyTorch is imported.

A runtime must be there before the first backward pass of the process, when autograd counts the devices: a run on a
plug-in names it in its plan, not only in a block.
"""

from __future__ import annotations

import importlib.metadata
from functools import cache

from engine.compute.backends.base import Backend, Device
from engine.compute.backends.cpu import Cpu
from engine.compute.backends.cuda import Cuda
from engine.compute.backends.mps import Mps
from engine.compute.backends.npu import Npu
from engine.compute.backends.plugin import PlugIn
from engine.compute.backends.tpu import Tpu
from engine.compute.backends.xpu import Xpu
from engine.errors import UserError

__all__ = ["Backend", "Device", "PlugIn", "backend_of", "backends", "open_backend"]

ENTRY_POINTS = "deepseek.backends"
_loaded: list[str] = []


@cache
def backends() -> tuple[Backend, ...]:
    """Every kind that is known: the CPU, what PyTorch brings, plug-ins. A plug-in of a third party, found by its entry
    point, replaces ours of the same type.

    >>> backends()[0].type
    'cpu'
    """
    found: list[Backend] = [Cpu(), Cuda(), Xpu(), Mps(), Npu(), Tpu()]
    for point in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.value):
        found.append(point.load()())
    by_type = {backend.type: backend for backend in found}
    return tuple(sorted(by_type.values(), key=lambda backend: backend.plugin))


def backend_of(kind: str) -> Backend | None:
    """The kind of that name: ``"cpu"``, ``"cuda"``, ``"npu"``; None when nobody knows it.

    >>> backend_of("abacus") is None
    True
    """
    return next((backend for backend in backends() if kind in (backend.type, backend.alias or None)), None)


def open_backend(kind: str) -> Backend | None:
    """The kind of that name with its runtime loaded; None when nobody knows it or this machine lacks something.

    Raises
    ------
    UserError
        When this process has the runtime of another plug-in.
    """
    backend = backend_of(kind)
    if backend is None or backend.missing():
        return None
    if backend.plugin and backend.type not in _loaded:
        if _loaded:
            raise UserError(
                "This process computes on {loaded} and cannot load {wanted} beside it",
                hint="Use one kind of plug-in device in a run.",
                loaded=_loaded[0],
                wanted=backend.type,
            )
        backend.load()
        _loaded.append(backend.type)
    return backend
