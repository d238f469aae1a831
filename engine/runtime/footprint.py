"""How much memory a model takes: opened and asked in a process of its own, so that nothing else counts.

Called by the benchmark, which starts this module as a program: JSON on standard input, one line of JSON as the answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMEOUT_S = 300


def memory_mib(job: dict[str, Any]) -> float | None:
    """Resident memory that opening a model and asking it once adds, in MiB; None where it cannot be measured.

    Parameters
    ----------
    job
        ``runtime``, one of :data:`engine.runtime.runtimes.RUNTIMES`; ``shape`` and ``number`` (``"float32"`` or
        ``"int64"``) of the inputs; ``threads``; and ``file``, of an ONNX file, or ``store`` and ``digest``, of a model.
    """
    command = [sys.executable, "-m", "engine.runtime.footprint"]
    try:
        told = subprocess.run(
            command, input=json.dumps(job).encode(), capture_output=True, check=True, timeout=TIMEOUT_S
        )
        return float(json.loads(told.stdout.splitlines()[-1])["memory_mib"])
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, IndexError):
        return None


def main() -> None:
    """The program: what a runtime is made of is imported before anything counts."""
    job = json.loads(sys.stdin.read())
    ask = _file(job) if job["runtime"] == "onnxruntime" else _module(job)
    before = _status_mib("VmRSS")
    ask()
    sys.stdout.write(json.dumps({"memory_mib": max(0.0, _status_mib("VmHWM") - before)}) + "\n")


def _file(job: dict[str, Any]) -> Callable[[], object]:
    import numpy as np
    import onnxruntime

    def ask() -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        session = onnxruntime.InferenceSession(job["file"], options, providers=["CPUExecutionProvider"])
        session.run(None, {session.get_inputs()[0].name: np.zeros(job["shape"], dtype=job["number"])})

    return ask


def _module(job: dict[str, Any]) -> Callable[[], object]:
    import torch

    from engine.artifacts import ArtifactStore, ModelRef
    from engine.runtime.models import open_model
    from engine.runtime.runtimes import READ_FILES, open_runtime

    def ask() -> None:
        x = torch.zeros(job["shape"], dtype=getattr(torch, job["number"]))
        if job["runtime"] in READ_FILES:
            open_runtime(job["runtime"], content=Path(job["file"]).read_bytes(), threads=job["threads"])(x)
            return
        ref = ArtifactStore(Path(job["store"])).open(job["digest"])
        assert isinstance(ref, ModelRef)
        open_runtime(job["runtime"], module=open_model(ref).module)(x)

    torch.set_num_threads(job["threads"] or torch.get_num_threads())
    return ask


def _status_mib(name: str) -> float:
    """A line of Linux's own account: getrusage would count what the process was forked from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 2**10


if __name__ == "__main__":
    main()
