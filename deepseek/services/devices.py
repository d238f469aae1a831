"""What ``deepseek doctor`` says of the devices: one line each, plug-ins and what they lack among them.

Called by :mod:`deepseek.services.diagnosis`. The looking is done by programs of its own, since a vendor's runtime takes
over the process that it is loaded in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Level = Literal["ok", "warning", "error"]
Line = tuple[Level, str, str | None, dict[str, Any]]
"""Level, text, hint and details of a finding."""
UNTESTED = "untested"


def device_lines(report: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """What to say of a report of :mod:`engine.compute.report`.

    >>> kind = {"type": "npu", "title": "Ascend NPU", "plugin": True, "tested": False, "devices": [], "problem": None}
    >>> next(device_lines([{**kind, "missing": "the package torch_npu"}]))[1]
    'npu: Ascend NPU, plug-in, untested: not here (needs the package torch_npu)'
    """
    for kind in report:
        about = {key: value for key, value in kind.items() if key != "devices"}
        name = f"{kind['type']}: {kind['title']}{_labels(kind)}"
        if kind["problem"]:
            yield ("error" if kind["type"] == "cpu" else "warning", f"{name}: {kind['problem']}", _hint(kind), about)
        elif kind["missing"]:
            if kind["plugin"]:
                yield "ok", f"{name}: not here (needs {kind['missing']})", None, about
        elif kind["devices"]:
            for device in kind["devices"]:
                yield "ok", f"{device['name']}: {describe(device)}{_labels(kind)}", None, {**about, **device}
        elif kind["type"] == "cuda" and any(Path("/dev").glob("nvidia[0-9]*")):
            yield "warning", "There is an NVIDIA GPU but this PyTorch cannot use it", _hint(kind), about
        elif kind["plugin"]:
            yield "ok", f"{name}: its runtime is installed and finds no device", None, about


def describe(device: Mapping[str, Any]) -> str:
    """A device in a line: name, memory, and gigaflops a second of its precisions in matrix products/convolutions.

    >>> describe({"title": "EPYC", "memory_mib": 24064, "threads": 2, "units": "avx2 avx512_bf16",
    ...     "precisions": ["bf16", "fp32"],
    ...     "speeds": {"bf16": {"matmul": 291.4, "conv": 180.2}, "fp32": {"matmul": 120.0, "conv": 95.0}}})
    'EPYC (avx2 avx512_bf16), 2 threads, 23.5 GiB; GFLOP/s in matrix products/convolutions: fp32 120/95, bf16 291/180'
    """
    memory = "" if device["memory_mib"] is None else f", {device['memory_mib'] / 1024:.1f} GiB"
    threads = f", {device['threads']} threads" if device["threads"] else ""
    title = f"{device['title']} ({device['units']})" if device["units"] else device["title"]
    speeds, precisions = device["speeds"], list(reversed(device["precisions"]))
    if not speeds:
        return f"{title}{threads}{memory}; {', '.join(precisions)}"
    parts = [
        f"{name} {speeds[name]['matmul']:.0f}/{speeds[name]['conv']:.0f}" if name in speeds else f"{name} not supported"
        for name in precisions
    ]
    return f"{title}{threads}{memory}; GFLOP/s in matrix products/convolutions: {', '.join(parts)}"


def _labels(kind: Mapping[str, Any]) -> str:
    return f"{', plug-in' if kind['plugin'] else ''}{'' if kind['tested'] else f', {UNTESTED}'}"


def _hint(kind: Mapping[str, Any]) -> str:
    if kind["type"] == "cuda":
        return "Install a build for your CUDA: set TORCH_INDEX, delete .venv and run `make install`."
    return "Choose another device, or install the runtime that fits this PyTorch and driver."
