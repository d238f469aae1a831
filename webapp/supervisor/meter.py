"""Looks every second at what a run uses: says so every few seconds, and when it is too much.

Called by the attempt's loop. Must not know the database.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

from webapp.supervisor.child import Child
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.sandbox import Limits

LOOK_S = 1.0
SAY_S = 5.0


class Meter:
    """Measures one child."""

    def __init__(self, limits: Limits, device: LocalDevice) -> None:
        self._limits = limits
        self._device = device
        self._looked = time.monotonic()
        self._said = time.monotonic()

    def look(self, child: Child) -> tuple[dict[str, Any] | None, int | None]:
        """A ``system`` event when one is due, and the limit in MiB when the memory is above it."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return None, None
        self._looked = now
        usage = child.usage()
        limit = self._limits.memory_mib
        if limit and usage.memory_mib > limit:
            return None, limit
        if now - self._said < SAY_S:
            return None, None
        self._said = now
        event = {
            "type": "system",
            "t": time.time(),
            "cpu": round(usage.cpu_percent, 1),
            "memory_mib": round(usage.memory_mib, 1),
        }
        gpu = read_gpu(self._device)
        return ({**event, "gpu": gpu} if gpu else event), None


def read_gpu(device: LocalDevice) -> dict[str, float] | None:
    """Load (percent) and used memory (MiB) of a leased GPU."""
    if device.type != "cuda":
        return None
    query = ["nvidia-smi", f"--id={device.visible}", "--query-gpu=utilization.gpu,memory.used"]
    try:
        text = subprocess.run(
            [*query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=5, check=True
        ).stdout
        load, memory = (float(part) for part in text.strip().split(","))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return {"utilisation": load, "memory_mib": memory}
