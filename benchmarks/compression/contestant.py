"""What a contestant of the compression benchmark is, and what all tools begin with.

Called by :mod:`benchmarks.compression.tools`. Imports are inside, since no environment has all packages.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
Call = Callable[[np.ndarray], np.ndarray]
Job = dict[str, Any]


class Contestant:
    """What was made, ready to be called.

    Parameters
    ----------
    call
        Inputs (B, ...) to outputs (B, ...).
    size_bytes
        Of what has to be shipped.
    batch
        Inputs at once where only answers count.
    """

    def __init__(self, call: Call, size_bytes: int, batch: int = BATCH, **more: Any) -> None:
        self.call, self.size_bytes, self.batch, self.more = call, size_bytes, batch, more


def network(job: Job) -> Any:
    """The trained network, in evaluation mode."""
    import torch
    from safetensors.torch import load_file

    from engine.models import build

    torch.set_num_threads(job["threads"])
    module = build(job["architecture"], job["config"])
    module.load_state_dict(load_file(job["weights"]))
    return module.eval()


def calibration(job: Job) -> np.ndarray:
    """Inputs that ranges may be taken from."""
    found: np.ndarray = np.load(job["calibration"])
    return found


def tensors(call: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """A call that takes tensors, as one that takes arrays."""
    import torch

    @torch.inference_mode()
    def run(x: np.ndarray) -> np.ndarray:
        out: np.ndarray = call(torch.from_numpy(x)).float().numpy()
        return out

    return run


def session(file: Path, threads: int, size: int | None = None, **more: Any) -> Contestant:
    """An ONNX file in ONNX Runtime, with its default settings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    opened = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = opened.get_inputs()[0].name
    return Contestant(lambda x: opened.run(None, {name: x})[0], size or file.stat().st_size, **more)
