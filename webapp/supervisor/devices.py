"""What this machine can lend: GPUs as nvidia-smi names them, and places for runs on the CPU.

Called by the dispatcher at its start. Must not import torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class LocalDevice:
    """A device of this machine."""

    type: str
    index: int
    name: str
    memory_mib: int
    visible: str = ""
    """What ``CUDA_VISIBLE_DEVICES`` says for it."""


def find_devices(queues: list[str]) -> list[LocalDevice]:
    """The devices that serve these queues."""
    found: list[LocalDevice] = []
    if "gpu" in queues:
        found += nvidia_gpus()
    if "cpu" in queues:
        memory_mib = psutil.virtual_memory().total // 2**20
        found += [LocalDevice("cpu", index, cpu_name(), memory_mib) for index in range(cpu_slots())]
    return found


def cpu_slots() -> int:
    """How many CPU runs go on at the same time: ``DEEPSEEK_CPU_SLOTS``, else one for every two cores."""
    text = os.environ.get("DEEPSEEK_CPU_SLOTS", "")
    return max(1, int(text)) if text.isdigit() else max(1, len(os.sched_getaffinity(0)) // 2)


def node_address() -> str:
    """``DEEPSEEK_NODE_ADDRESS``: where other workers reach this machine. Unset, it takes part in no run on several.

    Whoever sets it lets such runs use the network, which all others are cut off from.
    """
    return os.environ.get("DEEPSEEK_NODE_ADDRESS", "").strip()


def interface_of(address: str) -> str:
    """The network interface that has an address, for libraries that ask for one; empty when none has.

    >>> interface_of("127.0.0.1")
    'lo'
    """
    for name, found in psutil.net_if_addrs().items():
        if any(entry.address == address for entry in found):
            return str(name)
    return ""


def cpu_name() -> str:
    """The processor's name, as a person knows it."""
    try:
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "CPU"


def nvidia_gpus() -> list[LocalDevice]:
    """The NVIDIA GPUs that this process may use."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=index,name,memory.total,uuid", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_nvidia(text, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_nvidia(text: str, visible: str | None) -> list[LocalDevice]:
    r"""The rows of nvidia-smi, without those that the administrator hid.

    >>> parse_nvidia("0, NVIDIA H100, 81559, GPU-aa\n1, NVIDIA H100, 81559, GPU-bb\n", "1")
    [LocalDevice(type='cuda', index=1, name='NVIDIA H100', memory_mib=81559, visible='GPU-bb')]
    """
    found = []
    allowed = None if visible is None else {part.strip() for part in visible.split(",")}
    for line in text.strip().splitlines():
        index, name, memory, uuid = (part.strip() for part in line.split(",", 3))
        if allowed is None or index in allowed or any(uuid.startswith(part) for part in allowed if part[:3] == "GPU"):
            found.append(LocalDevice("cuda", int(index), name, int(float(memory)), uuid))
    return found
