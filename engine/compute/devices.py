"""The devices of this machine, read through ``torch.accelerator`` so that no vendor is named twice.

Called by the plan, the training loop and ``deepseek doctor``. Must not know models or data. PyTorch is imported only
when a device beside the CPU is in question, so that a run which is cached from end to end stays quick.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError

ACCELERATOR_FILES = ("nvidia[0-9]*", "nvidiactl", "dxg", "kfd", "dri/render*", "accel*", "davinci*")


@dataclass(frozen=True, slots=True)
class Device:
    """One place where tensors can be.

    Attributes
    ----------
    name
        What a plan says: ``"cpu"``, ``"cuda:0"``.
    title
        What a person reads, such as the name of the card.
    memory_mib
        Its whole memory; None when the device does not tell.
    """

    name: str
    title: str
    memory_mib: int | None

    @property
    def type(self) -> str:
        """``"cpu"``, ``"cuda"``, ``"mps"``, ``"xpu"`` or the name of a plug-in backend."""
        return self.name.split(":")[0]


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
    """Every device, the CPU first.

    >>> available_devices()[0].name
    'cpu'
    """
    found = [cpu()]
    if not may_have_accelerator():
        return found
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is not None:
        found += [_accelerator(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def cpu() -> Device:
    """The CPU, which every machine has."""
    return Device("cpu", "CPU", _cpu_memory_mib())


def may_have_accelerator() -> bool:
    """False when the operating system shows no file of an accelerator, so that PyTorch need not be asked."""
    if sys.platform != "linux" or "torch" in sys.modules:
        return True
    return any(next(Path("/dev").glob(pattern), None) for pattern in ACCELERATOR_FILES)


def find_device(requested: str) -> Device:
    """The device that a request means on this machine.

    Parameters
    ----------
    requested
        ``"auto"`` (the first accelerator, else the CPU), a type such as ``"cuda"``, or a name such as ``"cuda:1"``.

    Raises
    ------
    UserError
        When this machine has no such device; the message lists those it has.
    """
    if requested == "cpu":
        return cpu()
    devices = available_devices()
    if requested == "auto":
        return devices[1] if len(devices) > 1 else devices[0]
    for device in devices:
        if requested in (device.name, device.type):
            return device
    raise UserError(
        "This machine has no device {requested}",
        field="device",
        hint="Choose auto, or one of: {devices}.",
        requested=requested,
        devices=", ".join(device.name for device in devices),
    )


def is_out_of_memory(error: BaseException) -> bool:
    """True when an exception means that memory ran out, on any device.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(ValueError("no"))
    (True, False)
    """
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # the CPU allocator's words


def _accelerator(kind: str, index: int) -> Device:
    import torch

    module = torch.get_device_module(kind)
    title, memory_mib = kind.upper(), None
    if hasattr(module, "get_device_properties"):
        properties = module.get_device_properties(index)
        title = getattr(properties, "name", title)
        total = getattr(properties, "total_memory", None)
        memory_mib = None if total is None else int(total) // 2**20
    return Device(f"{kind}:{index}", title, memory_mib)


def _cpu_memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, ValueError, OSError):
        return None
