"""Build a folder with all that a machine with a GPU, Python 3.12 and PyTorch, but without a network, lacks.

Called by ``make gpu-carry`` with the studio's own interpreter::

    .venv/bin/python deploy/gpu_carry.py gpu-carry --data FOLDER

The folder holds ``wheels`` (the studio and everything it needs but PyTorch, which must fit the other machine's driver
and is there already), ``source`` (benchmarks, examples and tests of the commit), ``data`` (what ``--data`` names) and a
README with the commands.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
PEERS = ("lightning", "transformers", "accelerate")
"""What benchmarks compare with."""
NO_DEPENDENCIES = ("airbench",)
"""Peers that ask for a PyTorch of their own and run with the one that is there. Built here, since they are sources."""
TESTS = ("hypothesis", "pytest", "pytest-asyncio", "pytest-django", "pytest-timeout")
PRESENT = "+present"
"""Marks the stand-in for the PyTorch of the other machine, so that no other one is downloaded."""


def main(words: list[str]) -> int:
    """Build the folder; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build a folder for a machine without a network")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, help="a folder of data sets, as DEEPSEEK_DATASETS names one")
    parser.add_argument("--python", default="3.12", help="the other machine's Python")
    parser.add_argument("--torch", default="2.11.0", help="the other machine's PyTorch")
    options = parser.parse_args(words)
    if options.data and not options.data.is_dir():
        parser.error(f"{options.data} is not a folder")
    wheels = options.folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    try:
        download(wheels, options.python, options.torch)
        build(wheels)
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(map(str, error.cmd[:6]))} ... failed; its message is above", file=sys.stderr)
        return 1
    copy_source(options.folder / "source")
    if options.data:
        shutil.copytree(options.data, options.folder / "data", dirs_exist_ok=True)
    readme = (ROOT / "deploy" / "gpu_carry.md").read_text()
    words_of = {"python": options.python, "torch": options.torch, "commit": git("rev-parse", "HEAD").decode().strip()}
    (options.folder / "README.md").write_text(readme.format(**words_of))
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    print(f"{options.folder}: {len(list(wheels.iterdir()))} wheels, {size // 2**20} MiB. Read its README.md.")
    return 0


def download(wheels: Path, python: str, torch: str) -> None:
    """Fetch wheels for the other machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["pretrained"], *extras["pretrained-text"], *TESTS, "pip"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stand_in(folder, torch)
        pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("torch==")]
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join([*pins, f"torch=={torch}{PRESENT}"]))
        shared = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(wheels), "--only-binary=:all:"),
            *("--python-version", python, "--implementation", "cp", "--abi", f"cp{python.replace('.', '')}"),
            *("--abi", "abi3", "--abi", "none", *(word for name in PLATFORMS for word in ("--platform", name))),
        ]
        run([*shared, "--find-links", str(folder), "--constraint", str(constraints), *needed, *PEERS])
    for left in wheels.glob("torch-*"):
        left.unlink()


def stand_in(folder: Path, torch: str) -> None:
    """An empty wheel in the name of the PyTorch that is on the other machine."""
    version = f"{torch}{PRESENT}"
    info = f"torch-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: gpu-carry\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


def build(wheels: Path) -> None:
    """The studio itself, front end included, and what others publish as sources."""
    for old in wheels.glob("deepseek_studio-*"):
        old.unlink()
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(wheels),
            str(ROOT),
            *NO_DEPENDENCIES,
        ]
    )


def copy_source(folder: Path) -> None:
    """The files of the commit: benchmarks, examples and tests are not in the wheel."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as tar:
        tar.extractall(folder, filter="data")


def git(*words: str) -> bytes:
    """What git answers about this repository."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout


def run(command: list[str]) -> None:
    """Run a program that says itself what is wrong."""
    print("+", " ".join(command[1:5]), "...", flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
