"""Devices whose runtime is a package beside PyTorch, and what all of those answer alike.

They are written by the vendors' documentation and were never run by us on the device, so ``deepseek doctor`` and the
documentation call them untested. What the tests prove, with a pretend runtime on PyTorch's PrivateUse1 slot, is our
side of the path: the package is found and loaded, its device gets into a plan, and a network trains on it.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from engine.compute.backends.base import Backend, Device
from engine.errors import UserError

if TYPE_CHECKING:
    import torch


class PlugIn(Backend):
    """A kind of device that another package brings.

    Attributes
    ----------
    package
        What is imported, and what says that the kind is wanted: installed means wanted.
    needs
        What a person must install, in words.
    """

    plugin = True
    tested = False
    package: str
    needs: str

    def missing(self) -> str | None:
        """Whether the package is there; whether a device is, only its runtime can tell."""
        return None if find_spec(self.package) else self.needs

    def load(self) -> None:
        """Import the runtime: it registers itself with PyTorch.

        Raises
        ------
        UserError
            When it is installed and cannot be imported.
        """
        try:
            importlib.import_module(self.package)
        except Exception as error:  # a vendor's runtime may fail in any way: a driver, a library, another version
            raise UserError(
                "The runtime {package} is installed but does not load: {problem}",
                hint="Choose another device, or install the version of {package} that fits this PyTorch and driver.",
                package=self.package,
                problem=str(error)[:300],
            ) from error

    def devices(self) -> list[Device]:
        """As many as the runtime counts."""
        module = self.module()
        return [self._device(index) for index in range(module.device_count())] if module.is_available() else []

    def precisions(self, index: int) -> tuple[str, ...]:
        """What its runtime tells PyTorch's autocast."""
        import torch

        supported = self.module().get_amp_supported_dtype()
        lower = {"fp16": torch.float16, "bf16": torch.bfloat16}
        return (*(name for name, dtype in lower.items() if dtype in supported), "fp32")

    def module(self) -> Any:
        """``torch.<type>``, as the runtime registered it."""
        import torch

        return torch.get_device_module(self.type)

    def synchronize(self, device: torch.device) -> None:
        """By the runtime's own function: not every one serves ``torch.accelerator``."""
        self.module().synchronize(device)
