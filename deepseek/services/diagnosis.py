"""What may be wrong with an installation: one function for each question.

Called by ``deepseek doctor``. Every answer is a `Finding`; a function that cannot find out says so in one, and none
raises. Looks from outside: other programs are asked by starting them.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import deepseek
from deepseek.errors import DeepSeekError
from deepseek.services import checks, programs
from deepseek.services.devices import device_lines
from deepseek.services.home import Home
from deepseek.services.redis import answers, find_redis

DISTRIBUTION = "deepseek-studio"
#: Names on the public index that belong to strangers and bring an import or a command of our name.
FOREIGN = ("deepseek", "deepseek-cli")
SHOWN_PACKAGES = ("torch", "Django", "celery", "channels", "numpy", "pyarrow", "jupyter_server")


@dataclass(frozen=True)
class Finding:
    """One answer.

    Parameters
    ----------
    level
        ``error``: the studio will not work; ``warning``: a part of it will not; ``ok``.
    what
        What was looked at, in a word or two.
    text
        What was found.
    hint
        What to do.
    details
        The same for programs, where there are numbers.
    """

    level: Literal["ok", "warning", "error"]
    what: str
    text: str
    hint: str | None = None
    details: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def examine(home: Home) -> Iterator[Finding]:
    """Ask everything, in the order in which a person would want to know."""
    for question in (python, names, ninja_clash, packages, devices, redis, sandbox, front_end, node, compiler):
        yield from question()
    for look in (disk, database, running):
        yield from look(home)


def python() -> Iterator[Finding]:
    """The interpreter."""
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform != "linux":
        yield Finding("warning", "Python", text, "The studio is tested on Linux; runs are sandboxed only there.")
    else:
        yield Finding("ok", "Python", text)


def names(here: Path = Path(deepseek.__file__).parent) -> Iterator[Finding]:
    """Whether ``deepseek`` is ours, as an import and as a command."""
    for name in FOREIGN:
        if (version := installed(name)) is not None:
            yield Finding(
                "error",
                "Names",
                f"The package {name} {version} is installed; it is not part of this studio and can shadow it",
                f"Run `pip uninstall {name}`, then install {DISTRIBUTION} again.",
            )
    imported = _ask("import deepseek; print(deepseek.__file__)", cwd=Path(sys.prefix))
    if imported is not None and Path(imported).parent.resolve() != here.resolve():
        yield Finding(
            "error",
            "Names",
            f"`import deepseek` gives {imported}, which shadows {here}",
            "Remove that file or package, or take its folder out of PYTHONPATH.",
        )
        return
    command = shutil.which("deepseek")
    if command and Path(command).resolve().parent != Path(sys.executable).absolute().parent.resolve():
        yield Finding(
            "warning",
            "Names",
            f"The command `deepseek` on your PATH is {command}, of another environment",
            f"Use {Path(sys.executable).parent / 'deepseek'}, or activate this environment.",
        )
        return
    yield Finding("ok", "Names", f"`import deepseek` is {DISTRIBUTION} {deepseek.__version__} in {here}")


def ninja_clash() -> Iterator[Finding]:
    """Whether the build tool ``ninja`` has overwritten django-ninja: both are imported as ``ninja``."""
    if (version := installed("ninja")) is not None:
        yield Finding(
            "error",
            "ninja",
            f"The package ninja {version} is installed and takes the place of django-ninja, which the web server needs",
            "Run `pip uninstall ninja && pip install --force-reinstall --no-deps django-ninja`.",
        )


def packages() -> Iterator[Finding]:
    """Versions of what matters most."""
    found = {name: installed(name) for name in SHOWN_PACKAGES}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        yield Finding("error", "Packages", f"Not installed: {', '.join(missing)}", "Run `make install`.")
    else:
        yield Finding("ok", "Packages", ", ".join(f"{name} {version}" for name, version in found.items()))


def devices() -> Iterator[Finding]:
    """What models can compute on, and how fast each precision is (measured in a few seconds, and remembered)."""
    answer = _call([sys.executable, "-m", "engine.compute.report"], timeout_s=180)
    try:
        report = json.loads(answer or "")
    except ValueError:
        yield Finding("error", "Devices", "PyTorch cannot be imported", "Run `make install`.")
        return
    for level, text, hint, details in device_lines(report):
        yield Finding(level, "Devices", text, hint, details)


def redis() -> Iterator[Finding]:
    """Which Redis would be started."""
    try:
        program = find_redis()
    except DeepSeekError as error:
        level: Literal["error", "warning"] = "error" if programs.uses_own_redis(os.environ) else "warning"
        yield Finding(level, "Redis", error.message, error.hint)
    else:
        yield Finding("ok", "Redis", f"{program.version_text} ({program.path})")


def sandbox() -> Iterator[Finding]:
    """Whether runs can be walled off."""
    answer = _call([sys.executable, "-m", "webapp.supervisor.sandbox"], timeout_s=30)
    try:
        found = json.loads(answer or "")
        mode, detail = str(found["mode"]), str(found.get("detail") or "")
    except (ValueError, KeyError):
        yield Finding("error", "Sandbox", "It could not be found out whether runs can be walled off")
        return
    if mode == "bubblewrap":
        yield Finding("ok", "Sandbox", "bubblewrap works: runs see only their own folder")
    elif mode == "uid":
        yield Finding(
            "warning",
            "Sandbox",
            f"bubblewrap does not work here ({detail}); runs get another user id instead, which is a weaker wall",
            "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1), or install bubblewrap.",
        )
    else:
        yield Finding(
            "warning",
            "Sandbox",
            f"Runs cannot be walled off here ({detail}): code in a pipeline can do what you can do",
            "Let only people in whom you trust, or allow unprivileged user namespaces.",
        )


def front_end() -> Iterator[Finding]:
    """Whether the browser's part was built."""
    package = Path(deepseek.__file__).parent.parent
    places = (package / "static/dist/manifest.json", package / "webapp/_data/static/dist/manifest.json")
    if any(place.exists() for place in places):
        yield Finding("ok", "Front end", "built")
    else:
        yield Finding("error", "Front end", "The pages for the browser are not built", "Run `make frontend`.")


def node() -> Iterator[Finding]:
    """Whether the pages can be built again; running needs no Node."""
    own = Path(sys.executable).parent / "node"
    found = str(own) if own.exists() else shutil.which("node")
    version = _call([found, "--version"]) if found else None
    if version:
        yield Finding("ok", "Node", f"{version.lstrip('v')} ({found}); used only to build the pages")
    else:
        yield Finding("warning", "Node", "The pages cannot be built again", "Run `make install`, which brings Node.")


def compiler() -> Iterator[Finding]:
    """Whether `torch.compile` would find a compiler."""
    found = next(
        (name for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name and shutil.which(name)), None
    )
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if found and headers.is_file():
        yield Finding("ok", "Compiler", f"{found}: torch.compile can be used")
    elif found:
        yield Finding(
            "warning",
            "Compiler",
            f"{found} is here but the headers of Python are not: torch.compile is not available",
            "Only needed for compiled training (Debian and Ubuntu: apt-get install python3-dev).",
        )
    else:
        yield Finding(
            "warning",
            "Compiler",
            "There is no C++ compiler: torch.compile is not available",
            "Only needed for compiled training (Debian and Ubuntu: apt-get install g++).",
        )


def disk(home: Home) -> Iterator[Finding]:
    """Room for artifacts."""
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    try:
        warning = checks.check_disk(folder)
    except DeepSeekError as error:
        yield Finding("error", "Disk", error.message, error.hint)
        return
    free_gib = shutil.disk_usage(folder).free / 2**30
    text = warning or f"{free_gib:.0f} GiB free for {home.root}"
    yield Finding("warning" if warning else "ok", "Disk", text)


def database(home: Home) -> Iterator[Finding]:
    """Whether the tables are those of this version."""
    if not os.environ.get("DATABASE_URL") and not home.database.exists():
        yield Finding("ok", "Database", "none yet; `deepseek up` makes it")
        return
    done = _run(programs.django("migrate", "--check"), programs.environment(home), timeout_s=60)
    if done is not None and done.returncode == 0:
        yield Finding("ok", "Database", "reachable, and up to date")
    elif done is not None and done.stdout.strip():
        yield Finding("ok", "Database", "reachable; `deepseek up` brings its tables up to date")
    else:
        last = done.stderr.strip().splitlines()[-1:] if done else ["no answer"]
        yield Finding("error", "Database", f"It cannot be used: {' '.join(last)}", "Check DATABASE_URL.")


def running(home: Home) -> Iterator[Finding]:
    """Whether a studio runs on this home."""
    if not home.is_running():
        yield Finding("ok", "Running", f"no studio runs on {home.root}")
    elif programs.uses_own_redis(os.environ) and not answers(home.redis_socket):
        yield Finding("error", "Running", "A studio runs but its Redis does not answer", f"See {home.logs}.")
    else:
        yield Finding("ok", "Running", f"a studio runs on {home.root}")


def installed(name: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ask(code: str, cwd: Path | None = None, timeout_s: float = 30) -> str | None:
    return _call([sys.executable, "-c", code], cwd=cwd, timeout_s=timeout_s)


def _call(command: list[str], cwd: Path | None = None, timeout_s: float = 30) -> str | None:
    done = _run(command, dict(os.environ), cwd=cwd, timeout_s=timeout_s)
    return done.stdout.strip() if done is not None and done.returncode == 0 else None


def _run(
    command: list[str], environment: dict[str, str], *, timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
