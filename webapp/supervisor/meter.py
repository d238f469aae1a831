"""Looks every second at what a run uses: keeps it as curves beside the run's own, and says when it is too much.

Called by the attempt's loop. Must not know the database. The longer a run lasts the rarer the points: an hour is
about a thousand for each curve, and they are handed over several at a time.
"""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor

from webapp.supervisor.child import Child
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.sandbox import Limits
from webapp.supervisor.usage import Usage

LOOK_S = 1.0
PACE = ((60.0, 1.0), (600.0, 2.0), (3600.0, 5.0))
"""Up to this age, a point every so many seconds."""
SLOWEST_S = 10.0
HAND_OVER_POINTS = 5
HAND_OVER_FIRST = 2
"""In the first minute points are handed over sooner: somebody is looking."""
GPU_TIMEOUT_S = 5

Points = dict[str, list[tuple[float, float]]]
"""Curve -> (unix seconds, value)."""


class Meter:
    """Measures one child.

    Curves: ``cpu_percent`` (100 is one core), ``memory_mib``, ``disk_read_mib_s``, ``disk_written_mib_s``,
    ``network_received_mib_s``, ``network_sent_mib_s``, and ``gpu<n>_percent`` and ``gpu<n>_memory_mib`` for each
    leased GPU.
    """

    def __init__(self, limits: Limits, device: LocalDevice) -> None:
        self._limits = limits
        self._began = self._looked = self._sampled = time.monotonic()
        self._before: Usage | None = None
        self._points: Points = {}
        self._count = 0
        self._gpus = _Gpus(device)

    def look(self, child: Child) -> tuple[Points, int | None]:
        """Points that are to be stored now, and the limit in MiB when the memory is above it."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return {}, None
        self._looked = now
        usage = child.usage()
        limit = self._limits.memory_mib
        if limit and usage.memory_mib > limit:
            return self.rest(), limit
        age = now - self._began
        if now - self._sampled < pace(age):
            return {}, None
        self._keep(usage, now - self._sampled)
        self._sampled = now
        due = HAND_OVER_FIRST if age < PACE[0][0] else HAND_OVER_POINTS
        return (self.rest() if self._count >= due else {}), None

    def rest(self) -> Points:
        """The points that were not handed over yet."""
        points, self._points, self._count = self._points, {}, 0
        return points

    def close(self) -> None:
        """Let go of the thread that asks GPUs."""
        self._gpus.close()

    def _keep(self, usage: Usage, seconds: float) -> None:
        before, self._before = self._before, usage
        values = self._gpus.read()
        if before is not None:  # a process that was not seen before has no share of the processor yet
            values |= {"cpu_percent": round(usage.cpu_percent, 1), "memory_mib": round(usage.memory_mib, 1)}
            moved = {
                "disk_read_mib_s": (before.read_bytes, usage.read_bytes),
                "disk_written_mib_s": (before.written_bytes, usage.written_bytes),
                "network_received_mib_s": (before.received_bytes, usage.received_bytes),
                "network_sent_mib_s": (before.sent_bytes, usage.sent_bytes),
            }
            for name, (first, last) in moved.items():
                if first is not None and last is not None:
                    values[name] = round(max(0, last - first) / 2**20 / seconds, 4)
        t = time.time()
        for name, value in values.items():
            self._points.setdefault(name, []).append((t, value))
        self._count += bool(values)


def pace(age_s: float) -> float:
    """Seconds between two points of a run of that age.

    >>> [pace(age) for age in (0, 59, 60, 700, 10_000)]
    [1.0, 1.0, 2.0, 5.0, 10.0]
    """
    return next((gap for until, gap in PACE if age_s < until), SLOWEST_S)


class _Gpus:
    """Asks ``nvidia-smi`` on a thread of its own: it may take a second, and events do not wait for it."""

    def __init__(self, device: LocalDevice) -> None:
        self._visible = device.visible if device.type == "cuda" else ""
        self._pool = ThreadPoolExecutor(1, "gpu-meter") if self._visible else None
        self._asked: Future[dict[str, float]] | None = None

    def read(self) -> dict[str, float]:
        """The newest answer, once; empty while there is none."""
        if self._pool is None:
            return {}
        if self._asked is not None and not self._asked.done():
            return {}
        answer = {} if self._asked is None else self._asked.result()
        self._asked = self._pool.submit(read_gpus, self._visible)
        return answer

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def read_gpus(visible: str) -> dict[str, float]:
    """Load (percent) and used memory (MiB) of the GPUs that ``CUDA_VISIBLE_DEVICES`` names; empty without an answer."""
    query = ["nvidia-smi", f"--id={visible}", "--query-gpu=utilization.gpu,memory.used"]
    try:
        text = subprocess.run(
            [*query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=GPU_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_gpus(text)


def parse_gpus(text: str) -> dict[str, float]:
    r"""The rows of ``nvidia-smi``; what a GPU does not say is left out.

    >>> parse_gpus("97, 61440\n[N/A], 3\n")
    {'gpu0_percent': 97.0, 'gpu0_memory_mib': 61440.0, 'gpu1_memory_mib': 3.0}
    """
    found: dict[str, float] = {}
    for number, line in enumerate(text.strip().splitlines()):
        for name, part in zip(("percent", "memory_mib"), line.split(","), strict=False):
            word = part.strip()
            if word.replace(".", "", 1).isdigit():
                found[f"gpu{number}_{name}"] = float(word)
    return found
