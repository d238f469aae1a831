"""What the studio asks of a kind of device, and what most kinds answer alike.

Called by the rest of the compute layer; a kind is one file beside this one, or a package that a third party installs
(entry point group ``deepseek.backends``). PyTorch is imported inside methods only, and the questions that are asked
of a machine without the device (:meth:`Backend.missing`) are answered without it.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


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


class Backend:
    """One kind of device. A kind with a module in PyTorch (``torch.cuda``, ``torch.npu``) overrides little.

    Attributes
    ----------
    type
        PyTorch's name of the kind: the part of a device's name before the colon.
    alias
        What people call it, where that is another word.
    title
        For people.
    plugin
        True when its runtime is a package beside PyTorch. Only one of those may be loaded in a process.
    tested
        False: written by the vendor's documentation and never run by us on the device.
    files
        Patterns below ``/dev`` of the device's files on Linux; empty: ask the runtime.
    """

    type: str
    alias: str = ""
    title: str
    plugin: bool = False
    tested: bool = True
    files: tuple[str, ...] = ()

    def missing(self) -> str | None:
        """What this machine lacks for the device, in a few words; None: nothing that shows from outside.

        Answers without importing PyTorch.
        """
        if self.files and sys.platform == "linux" and not any(next(Path("/dev").glob(p), None) for p in self.files):
            return "no device"
        return None

    def load(self) -> None:
        """Import the runtime, so that PyTorch knows the device."""

    def devices(self) -> list[Device]:
        """The devices of this kind, after :meth:`load`."""
        import torch

        # With a plug-in's runtime loaded, PyTorch's accelerator is the plug-in, whatever else the machine has.
        found = torch.accelerator.current_accelerator(check_available=True)
        if found is None or found.type != self.type:
            return []
        return [self._device(index) for index in range(torch.accelerator.device_count())]

    def precisions(self, index: int) -> tuple[str, ...]:
        """The precisions it computes in, from fastest-looking to safest; ``"fp32"`` is the last."""
        return ("fp32",)

    def can_compile(self) -> bool:
        """True when ``torch.compile`` can make code for it here."""
        return False

    def synchronize(self, device: torch.device) -> None:
        """Wait until everything that was asked of it is done."""
        import torch

        torch.accelerator.synchronize(device)

    def seed(self, device: torch.device, seed: int) -> None:
        """Seed its generator, where ``torch.manual_seed`` does not."""

    def random_state(self, device: torch.device) -> torch.Tensor:
        """The state of its random generator, a byte tensor on the CPU."""
        import torch

        state: torch.Tensor = torch.get_device_module(device).get_rng_state(device)
        return state

    def set_random_state(self, device: torch.device, state: torch.Tensor) -> None:
        """Put back what :meth:`random_state` gave."""
        import torch

        torch.get_device_module(device).set_rng_state(state, device)

    def _device(self, index: int) -> Device:
        import torch

        module = torch.get_device_module(self.type)
        title, memory_mib = self.type.upper(), None
        if hasattr(module, "get_device_properties"):
            properties = module.get_device_properties(index)
            title = getattr(properties, "name", title)
            total = getattr(properties, "total_memory", None)
            memory_mib = None if total is None else int(total) // 2**20
        return Device(f"{self.type}:{index}", title, memory_mib)


def has_compiler() -> bool:
    """True when C++ can be compiled against this Python, which ``torch.compile`` needs on the CPU."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return header.is_file() and any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def has_triton() -> bool:
    """True when Triton is installed, which ``torch.compile`` needs on a GPU."""
    from importlib.util import find_spec

    return find_spec("triton") is not None
