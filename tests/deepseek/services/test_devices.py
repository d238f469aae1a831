"""What the doctor says of devices: how fast each precision is, and what plug-ins lack."""

import json
from pathlib import Path

import pytest

from deepseek.services import devices, diagnosis

KIND = {"type": "cpu", "title": "CPU", "plugin": False, "tested": True, "missing": None, "devices": [], "problem": None}
DEVICE = {"title": "EPYC", "units": "", "threads": 2, "memory_mib": 1024, "precisions": ["bf16", "fp32"], "speeds": {}}


def lines(**changes):
    return [(level, text, hint) for level, text, hint, _ in devices.device_lines([{**KIND, **changes}])]


def test_every_device_gets_a_line_with_its_speeds():
    speeds = {"fp32": {"matmul": 100.4, "conv": 50.0}}
    ((level, text, _),) = lines(devices=[{**DEVICE, "name": "cpu", "speeds": speeds}])
    assert level == "ok"
    assert text.endswith("2 threads, 1.0 GiB; GFLOP/s in matrix products/convolutions: fp32 100/50, bf16 not supported")


def test_a_plug_in_is_called_untested_and_says_what_it_lacks():
    ((level, text, _),) = lines(type="npu", title="NPU", plugin=True, tested=False, missing="torch_npu")
    assert (level, text) == ("ok", "npu: NPU, plug-in, untested: not here (needs torch_npu)")
    ((_, text, _),) = lines(type="npu", title="NPU", plugin=True, tested=False)
    assert "installed and finds no device" in text


def test_a_kind_that_pytorch_brings_and_that_is_not_here_is_no_news():
    assert lines(type="xpu", missing="no device") == []


def test_a_broken_runtime_is_a_warning_and_a_broken_cpu_an_error():
    assert lines(type="npu", plugin=True, problem="no driver")[0][0] == "warning"
    assert lines(problem="no numpy")[0][0] == "error"


def test_the_doctor_measures_this_machine_and_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DEEPSEEK_HOME", str(tmp_path))
    found = list(diagnosis.devices())
    cpu = next(finding for finding in found if finding.details and finding.details["type"] == "cpu")
    assert set(cpu.details["speeds"]) == {"fp32", "bf16"}
    assert all(speed > 0 for by_kind in cpu.details["speeds"].values() for speed in by_kind.values())
    assert any("untested" in finding.text for finding in found)
    (machine,) = json.loads((tmp_path / "profile.json").read_text())["machines"].values()
    assert machine["speeds"] == cpu.details["speeds"]
