"""Plug-in devices: found, loaded one to a process, planned for and trained on, with a pretend NPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.compute.backends import backend_of, backends

RUNTIMES = Path(__file__).parent / "runtimes"
ROOT = Path(__file__).parents[3]

RUN = """
import json, sys, tempfile
from pathlib import Path
from engine import api

document = json.loads(Path("examples/01-digits/pipeline.json").read_text())
document["blocks"]["model"] = {"type": "model.mlp", "params": {"hidden": [32]}}
document["blocks"]["train"]["params"] = {"epochs": 1}


def run(device):
    folder, events = Path(tempfile.mkdtemp()), []
    result = api.execute(
        api.parse_document(document),
        catalog=api.load_catalog(),
        store=api.ArtifactStore(folder / "store"),
        cache=api.NoCache(),
        sink=lambda event: events.append(event.to_json()),
        folder=folder,
        plan={"device": device, "threads": 1},
    )
    said = {"status": result.status, "error": result.error, "metrics": result.metrics, "plan": events[0]["plan"]}
    runtime = sys.modules.get("torch_npu")
    return {**said, "kernels": dict(runtime.KERNELS) if runtime else {}}


# The plug-in first: autograd counts the devices at the first backward pass of a process.
print(json.dumps([run("npu"), run("cpu")]))
"""


def python(code, *words, path=(RUNTIMES,), **environment):
    """What a fresh interpreter prints, with these folders on its path."""
    places = os.pathsep.join([str(ROOT), *map(str, path)])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        env={**os.environ, "PYTHONPATH": places, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.timeout(300)
def test_a_pipeline_trains_on_a_plug_in_device_and_learns_what_it_learns_on_the_cpu():
    npu, cpu = json.loads(python(RUN))
    assert npu["status"] == "succeeded", npu["error"]
    assert npu["plan"]["device"] == "npu:0"
    assert npu["metrics"]["evaluate.accuracy"] == pytest.approx(cpu["metrics"]["evaluate.accuracy"], abs=0.01)
    for operation in ("aten::addmm", "aten::_log_softmax", "aten::mm", "aten::_to_copy"):  # forward, backward, to host
        assert npu["kernels"][operation] > 0, npu["kernels"]
    assert cpu["kernels"] == npu["kernels"]  # none more


def test_a_process_on_the_cpu_loads_no_plug_in():
    code = (
        "import sys; from engine.compute import resolve; resolve({'device': 'cpu'}); print('torch_npu' in sys.modules)"
    )
    assert python(code) == "False"


def test_a_plug_in_is_the_choice_of_auto_where_there_is_nothing_else():
    code = "from engine.compute import find_device; print(find_device('auto'))"
    assert "name='npu:0', title='Pretend NPU', memory_mib=1024" in python(code)


def test_two_plug_in_runtimes_in_one_process_are_refused(tmp_path):
    second_plugin(tmp_path)
    code = """
from engine.compute import find_device
from engine.errors import UserError
print(find_device("npu").name)
try:
    find_device("abacus")
except UserError as error:
    print(error.message)
"""
    said = python(code, path=(RUNTIMES, tmp_path)).splitlines()
    assert said == ["npu:0", "This process computes on npu and cannot load abacus beside it"]


def test_an_installed_package_brings_a_device_by_its_entry_point(tmp_path):
    second_plugin(tmp_path)
    code = "from engine.compute import resolve; print(resolve({'device': 'abacus'}).device)"
    assert python(code, path=(tmp_path,)) == "abacus:0"


def test_a_runtime_that_does_not_load_is_named(tmp_path):
    (tmp_path / "torch_npu.py").write_text("raise OSError('libascend.so: cannot open shared object file')")
    code = """
from engine.compute import find_device
from engine.errors import UserError
try:
    find_device("npu")
except UserError as error:
    print(error.message)
"""
    assert python(code, path=(tmp_path,)) == (
        "The runtime torch_npu is installed but does not load: libascend.so: cannot open shared object file"
    )


def test_a_plug_in_that_is_not_here_says_what_to_install():
    assert "torch_npu" in backend_of("npu").missing()
    assert backend_of("tpu") is backend_of("xla")
    assert "torch_xla" in backend_of("tpu").missing()


def test_plug_ins_come_last_and_call_themselves_untested():
    assert backends()[0].type == "cpu"
    flags = [backend.plugin for backend in backends()]
    assert flags == sorted(flags)
    assert not any(backend.tested for backend in backends() if backend.plugin)


def second_plugin(folder):
    """Another package with a device, as pip would install it."""
    (folder / "abacus.py").write_text(
        """
from engine.compute.backends import Device, PlugIn

class Abacus(PlugIn):
    type, title, package, needs = "abacus", "Abacus", "json", "beads"

    def devices(self):
        return [Device("abacus:0", self.title, None)]

    def precisions(self, index):
        return ("fp32",)
"""
    )
    info = folder / "abacus-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: abacus\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[deepseek.backends]\nabacus = abacus:Abacus\n")


@pytest.mark.timeout(300)
def test_the_report_looks_at_each_kind_of_device_in_a_process_of_its_own(tmp_path):
    code = """
import json, sys
from engine.compute.report import report
print(json.dumps([report(measure=False), "torch" in sys.modules]))
"""
    kinds, has_torch = json.loads(python(code, DEEPSEEK_HOME=str(tmp_path)))
    found = {kind["type"]: kind for kind in kinds}
    assert found["cpu"]["devices"][0]["precisions"] == ["bf16", "fp32"]
    assert [device["name"] for device in found["npu"]["devices"]] == ["npu:0"]
    assert found["npu"]["tested"] is False
    assert "torch_xla" in found["xla"]["missing"]
    assert not has_torch


def test_the_adapter_of_a_plug_in_is_less_than_100_lines():
    for module in ("npu", "tpu", "plugin"):
        assert len((ROOT / "engine/compute/backends" / f"{module}.py").read_text().splitlines()) < 100
