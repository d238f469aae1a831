"""ONNX files as modules: inputs to outputs on the CPU, by ONNX Runtime or by OpenVINO.

Called by whatever opens a variant of a model or compares runtimes. Both read the same files. Each package is imported
when a file is opened: neither has to be installed.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.errors import UserError


class OnnxModule(nn.Module):
    """An ONNX file that computes on the CPU; a file made for one example at a time is asked one at a time."""

    def __init__(self, content: bytes, threads: int = 0) -> None:
        super().__init__()
        require_onnx()
        from engine.runtime.onnx_export import Session

        self.session = Session(content, threads)
        self.number: type[np.generic] = np.int64 if self.session.input_type == "tensor(int64)" else np.float32

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(B, ...)`` of inputs ``(B, ...)``, on the device of the inputs."""
        given: np.ndarray = np.ascontiguousarray(x.detach().cpu().numpy(), dtype=self.number)
        fixed = self.session.input_shape[0] if self.session.input_shape else None
        parts = [given] if fixed is None else np.split(given, len(given)) if fixed == 1 else _whole(given, fixed)
        made = np.concatenate([self.session.run(part) for part in parts])[: len(given)]
        return torch.from_numpy(made).to(x.device)


class OpenVinoModule(nn.Module):
    """An ONNX file that OpenVINO computes on the CPU; as :class:`OnnxModule`."""

    def __init__(self, content: bytes, threads: int = 0) -> None:
        super().__init__()
        import openvino

        core = openvino.Core()
        # By itself it would compute floats in bfloat16 where the processor can, and answer otherwise.
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        settings |= {"INFERENCE_NUM_THREADS": threads} if threads else {}
        try:
            self._compiled = core.compile_model(core.read_model(content), "CPU", settings)
        except RuntimeError as error:
            raise UserError(
                "OpenVINO cannot open the file: {problem}", field="model", problem=str(error).strip().splitlines()[-1]
            ) from error
        self._request = self._compiled.create_infer_request()

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(B, ...)`` of inputs ``(B, ...)``."""
        given: np.ndarray = np.ascontiguousarray(x.detach().cpu().numpy())
        found = self._request.infer([given], share_inputs=True)[self._compiled.output(0)]
        return torch.from_numpy(np.array(found)).to(x.device)


def require_onnx() -> None:
    """UserError when this installation cannot open ONNX files."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        raise UserError(
            "ONNX files need packages that are not installed",
            field="model",
            hint="Run: pip install onnx onnxruntime onnxscript",
        )


def _whole(given: np.ndarray, size: int) -> list[np.ndarray]:
    """Parts of exactly ``size`` examples; the last one is filled up with its last example."""
    missing = -len(given) % size
    filled = np.concatenate([given, np.repeat(given[-1:], missing, axis=0)])
    return np.split(filled, len(filled) // size)
