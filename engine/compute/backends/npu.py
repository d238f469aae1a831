"""Huawei Ascend NPUs, through ``torch_npu``. Untested: see :mod:`engine.compute.backends.plugin`.

Source: Ascend Extension for PyTorch, "Quick start" and the PrivateUse1 integration of PyTorch.
"""

from __future__ import annotations

from engine.compute.backends.plugin import PlugIn


class Npu(PlugIn):
    """``torch.npu``."""

    type = "npu"
    title = "Ascend NPU"
    package = "torch_npu"
    needs = "the CANN toolkit and the package torch_npu of this PyTorch version"
