"""What a run uses is measured for its whole tree, as curves that get rarer with its age."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from webapp.supervisor import meter as meter_module
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.meter import Meter, parse_gpus, read_gpus
from webapp.supervisor.sandbox import Limits
from webapp.supervisor.usage import TreeUsage, Usage, network_bytes

CPU = LocalDevice("cpu", 0, "CPU", 1_000)
WRITER = """
import os, sys
with open(sys.argv[1], "wb") as stream:
    stream.write(os.urandom(8 * 2**20))
    stream.flush()
    os.fsync(stream.fileno())
print("written", flush=True)
sys.stdin.readline()
"""


class FakeChild:
    """A child whose usage a test dictates."""

    def __init__(self, usages: list[Usage]) -> None:
        self.usages = usages

    def usage(self) -> Usage:
        return self.usages.pop(0) if len(self.usages) > 1 else self.usages[0]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr(meter_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(meter_module.time, "time", lambda: 1e9 + now[0])
    return now


def measured(meter: Meter, child: Any, clock: list[float], seconds: float) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(int(seconds)):
        clock[0] += 1.0
        points, too_much = meter.look(child)
        assert too_much is None
        for name, curve in points.items():
            found.setdefault(name, []).extend(curve)
    return found


def test_moved_bytes_become_a_rate(clock: list[float]) -> None:
    usages = [Usage(150.0, 100.0, 2, 0, second * 3 * 2**20, 0, second * 2**20) for second in range(12)]
    curves = measured(Meter(Limits(), CPU), FakeChild(usages), clock, 11)
    assert {value for _, value in curves["disk_written_mib_s"]} == {3.0}
    assert {value for _, value in curves["network_sent_mib_s"]} == {1.0}
    assert {value for _, value in curves["cpu_percent"]} == {150.0}
    times = [t for t, _ in curves["memory_mib"]]
    assert times == sorted(times)


def test_what_a_system_does_not_count_has_no_curve(clock: list[float]) -> None:
    curves = measured(Meter(Limits(), CPU), FakeChild([Usage(1.0, 1.0, 1)]), clock, 20)
    assert set(curves) == {"cpu_percent", "memory_mib"}


def test_a_long_run_gets_rarer_points(clock: list[float]) -> None:
    meter = Meter(Limits(), CPU)
    child = FakeChild([Usage(1.0, 1.0, 1)])
    first = measured(meter, child, clock, 60)
    later = measured(meter, child, clock, 2 * 3600)
    assert 50 <= len(first["cpu_percent"]) <= 60
    assert 1_000 < len(later["cpu_percent"]) < 1_400


def test_points_that_wait_are_handed_over_at_the_end(clock: list[float]) -> None:
    meter = Meter(Limits(), CPU)
    measured(meter, FakeChild([Usage(1.0, 1.0, 1)]), clock, 4)
    rest = meter.rest()
    assert len(rest["cpu_percent"]) == 1
    assert meter.rest() == {}


def test_memory_above_the_limit_is_told(clock: list[float]) -> None:
    meter = Meter(Limits(memory_mib=10), CPU)
    clock[0] += 1.0
    child: Any = FakeChild([Usage(1.0, 11.0, 1)])
    assert meter.look(child)[1] == 10


def test_the_disk_of_a_process_that_ended_stays_counted(tmp_path: Path) -> None:
    program = [sys.executable, "-c", WRITER, str(tmp_path / "data")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        usage = TreeUsage()
        written = usage.measure([psutil.Process(process.pid)]).written_bytes
        process.stdin.write("\n")
    if written is None or written == 0:
        pytest.skip("this file system counts no written bytes")
    assert written >= 8 * 2**20
    other = psutil.Process(os.getpid())
    after = usage.measure([other])
    assert after.written_bytes is not None
    assert after.written_bytes >= written


def test_the_network_is_that_of_the_machine_outside_of_walls() -> None:
    received, sent = network_bytes([os.getpid()])
    assert received is not None
    assert received >= 0
    assert sent is not None
    assert sent >= 0


def test_gpus_are_asked_without_making_events_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ntest "$1" = "--id=GPU-a,GPU-b" || exit 9\nsleep 0.2\necho "97, 61440"\necho "3, 12"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    meter = Meter(Limits(), LocalDevice("cuda", 0, "H100", 80_000, "GPU-a,GPU-b"))
    child = FakeChild([Usage(1.0, 1.0, 1)])
    began = time.perf_counter()
    measured(meter, child, clock, 2)
    assert time.perf_counter() - began < 0.15
    deadline = time.perf_counter() + 10
    curves: dict[str, Any] = {}
    while "gpu1_percent" not in curves and time.perf_counter() < deadline:
        time.sleep(0.05)
        curves |= measured(meter, child, clock, 2)
    meter.close()
    assert curves["gpu0_percent"][0][1] == 97.0
    assert curves["gpu0_memory_mib"][0][1] == 61440.0
    assert curves["gpu1_percent"][0][1] == 3.0


def test_a_machine_without_nvidia_smi_has_no_gpu_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert read_gpus("GPU-a") == {}
    assert parse_gpus("") == {}
