"""The devices of this machine, whatever their kind.

Called by the plan, the training loop and ``deepseek doctor``. Must not know models or data. PyTorch is imported only
when a device beside the CPU is in question, so that a run which is cached from end to end stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.compute.backends import Backend, Device, backend_of, backends, open_backend
from engine.compute.backends.cpu import Cpu
from engine.errors import UserError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Device",
    "available_devices",
    "check_precision",
    "cpu",
    "find_device",
    "is_out_of_memory",
    "precisions_of",
    "random_state_kept",
    "synchronize",
    "usable_cpus",
]


def usable_cpus() -> int:
    """CPUs that this process may use, which can be fewer than the machine has.

    >>> usable_cpus() >= 1
    True
    """
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS and Windows
        return max(1, os.cpu_count() or 1)


def available_devices() -> list[Device]:
    """Every device that this process can compute on, the CPU first.

    What PyTorch itself brings comes before plug-ins; a plug-in's runtime is loaded only where there is nothing else.

    >>> available_devices()[0].name
    'cpu'
    """
    found: list[Device] = []
    for backend in backends():
        if not (backend.plugin and len(found) > 1):
            found += _devices(backend)
    return found


def cpu() -> Device:
    """The CPU, which every machine has."""
    return Cpu().devices()[0]


def find_device(requested: str) -> Device:
    """The device that a request means on this machine.

    Parameters
    ----------
    requested
        ``"auto"`` (the first accelerator, else the CPU), a kind such as ``"cuda"`` or ``"npu"``, or a name such as
        ``"cuda:1"``.

    Raises
    ------
    UserError
        When this machine has no such device; the message lists those it has.
    """
    if requested == "auto":
        return (available_devices()[1:] or [cpu()])[0]
    backend = backend_of(requested.split(":")[0])
    for device in [] if backend is None else _devices(backend):
        if requested in (device.name, device.type, backend.alias if backend else ""):
            return device
    raise UserError(
        "This machine has no device {requested}",
        field="device",
        hint="Choose auto, or one of: {devices}.",
        requested=requested,
        devices=", ".join(device.name for device in available_devices()),
    )


def precisions_of(device: str) -> tuple[str, ...]:
    """The precisions of a device by its name in a plan, from fastest-looking to safest.

    >>> precisions_of("cpu")
    ('bf16', 'fp32')
    """
    kind, _, index = device.partition(":")
    backend = backend_of(kind)
    return ("fp32",) if backend is None else backend.precisions(int(index or 0))


def check_precision(name: str, device: str) -> None:
    """Refuse a precision that a device has not.

    Raises
    ------
    UserError
        The hint lists those it has.
    """
    legal = precisions_of(device)
    if name not in legal:
        raise UserError(
            "This machine has no precision {precision} on {device}",
            field="precision",
            hint="Choose adaptive, or one of: {precisions}.",
            precision=name,
            device=device,
            precisions=", ".join(reversed(legal)),
        )


def synchronize(device: torch.device) -> None:
    """Wait until a device has done everything that was asked of it, as a clock must."""
    backend = backend_of(device.type)
    if backend is not None:
        backend.synchronize(device)


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Put the random generators of the CPU and of a device back at the end."""
    places = {"cpu": _torch_device("cpu"), device.type: device}
    kept = [(backend, place, backend.random_state(place)) for backend, place in _opened(places)]
    try:
        yield
    finally:
        for backend, place, state in kept:
            backend.set_random_state(place, state)


def is_out_of_memory(error: BaseException) -> bool:
    """True when an exception means that memory ran out, on any device.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError("no"))
    (True, False)
    """
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # the CPU allocator's words


def _devices(backend: Backend) -> list[Device]:
    return [] if open_backend(backend.type) is None else backend.devices()


def _torch_device(name: str) -> torch.device:
    import torch

    return torch.device(name)


def _opened(places: dict[str, torch.device]) -> list[tuple[Backend, torch.device]]:
    found = [(open_backend(kind), place) for kind, place in places.items()]
    return [(backend, place) for backend, place in found if backend is not None]
