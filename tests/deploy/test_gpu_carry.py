"""The folder for a machine without a network: the parts that need no network to be checked."""

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def gpu_carry():
    spec = importlib.util.spec_from_file_location("gpu_carry", ROOT / "deploy" / "gpu_carry.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stand_in_for_pytorch_is_a_wheel_that_pip_takes_for_it(tmp_path):
    gpu_carry().stand_in(tmp_path, "2.11.0")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--quiet", "--report", "-"]
    command += ["--ignore-installed", "--find-links", str(tmp_path), "torch>=2.11,<3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert '"version": "2.11.0+present"' in done.stdout


def test_the_source_of_the_commit_is_copied_without_what_is_built(tmp_path):
    gpu_carry().copy_source(tmp_path / "source")
    assert (tmp_path / "source/benchmarks/training.py").is_file()
    assert not (tmp_path / "source/static/dist").exists()


def test_a_data_folder_that_is_not_there_is_refused(tmp_path, capsys):
    command = [sys.executable, str(ROOT / "deploy/gpu_carry.py"), str(tmp_path / "out"), "--data", str(tmp_path / "no")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert "is not a folder" in done.stderr
    assert not (tmp_path / "out").exists()


def test_its_readme_has_every_place_filled(tmp_path):
    text = (ROOT / "deploy/gpu_carry.md").read_text()
    assert "{" not in text.format(python="3.12", torch="2.11.0", commit="abc")
