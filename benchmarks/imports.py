"""Start-up costs: importing the SDK, answering `deepseek --help`, and starting the web process (time and memory).

    python benchmarks/imports.py [--repeat 7] [--json FILE]

Each figure is the median over fresh processes. Files are in the page cache (one run is thrown away first), as they are
on a machine in use. Memory of the web process is its resident set after it answered its first requests.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

LIMITS = {
    "import deepseek": (0.3, "s"),
    "from deepseek import Model, Dataset": (0.3, "s"),
    "deepseek --help": (0.3, "s"),
    "web process, start": (3.0, "s"),
    "web process, memory": (200.0, "MB"),
}
FORBIDDEN = ("torch", "pandas", "numpy", "django")
STATEMENTS = ("import deepseek", "from deepseek import Model, Dataset")


def time_statement(statement: str) -> float:
    """Seconds that a statement takes in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def time_help() -> float:
    """Seconds from nothing to the printed help, interpreter included."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "deepseek.cli.app", "--help"], capture_output=True, check=True)
    return time.perf_counter() - started


def forbidden_modules(statement: str) -> list[str]:
    """Heavy packages that a statement brings in."""
    code = f"import sys; {statement}; print(*[m for m in {FORBIDDEN!r} if m in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def measure_web(home: Path) -> tuple[float, float, list[str]]:
    """Seconds until the web process answers, its resident megabytes, and whether torch is mapped into it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "webapp.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "DEEPSEEK_HOME": str(home), "DJANGO_SETTINGS_MODULE": "webapp.settings"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_answer(process, port)
        seconds = time.perf_counter() - started
        for path in ("/login", "/healthz", "/api/v1/catalog") * 5:
            _status(port, path)
        found = psutil.Process(process.pid)
        mapped = {Path(entry.path).name for entry in found.memory_maps() if "libtorch" in entry.path}
        return seconds, found.memory_info().rss / 1e6, sorted(mapped)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the web process ended with {process.returncode}")
        try:
            _status(port, "/healthz")
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("the web process did not answer within 60 s")


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def main() -> int:
    """Measure, print a table, write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-web", action="store_true", help="leave out the web process")
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = {}
    for statement in STATEMENTS:
        figures[statement] = [time_statement(statement) for _ in range(arguments.repeat + 1)][1:]
    figures["deepseek --help"] = [time_help() for _ in range(arguments.repeat + 1)][1:]
    heavy = {statement: forbidden_modules(statement) for statement in STATEMENTS}
    if not arguments.no_web:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            environment = {**os.environ, "DEEPSEEK_HOME": folder, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
            subprocess.run(migrate, env=environment, check=True, capture_output=True)
            runs = [measure_web(home) for _ in range(arguments.repeat + 1)][1:]
        figures["web process, start"] = [run[0] for run in runs]
        figures["web process, memory"] = [run[1] for run in runs]
        heavy["web process"] = sorted({name for run in runs for name in run[2]})
    print(f"{'what':<40} {'median':>10} {'min':>10} {'max':>10} {'reach':>10}")
    for name, values in figures.items():
        limit, unit = LIMITS[name]
        numbers = " ".join(f"{f(values):>7.3g} {unit:<2}" for f in (statistics.median, min, max))
        print(f"{name:<40} {numbers} {'<= ' + format(limit, 'g'):>7} {unit}")
    for name, modules in heavy.items():
        print(f"{name:<40} brings in: {', '.join(modules) or 'nothing heavy'}")
    if arguments.json:
        body = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count(), "figures": figures}
        arguments.json.write_text(json.dumps({**body, "heavy": heavy}, indent=2))
    is_met = all(statistics.median(values) <= LIMITS[name][0] for name, values in figures.items())
    return 0 if is_met and not any(heavy.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
