"""A child ends with all it started, whatever it does, and whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from webapp.supervisor import sandbox
from webapp.supervisor.child import Child
from webapp.supervisor.tools import run_tool

FAMILY = """
import os, subprocess, sys, time
mark = sys.argv[-1]
sleeper = [sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)', mark]
subprocess.Popen(sleeper)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        subprocess.Popen(sleeper, start_new_session=True)
        time.sleep(600)
    os._exit(0)
open('ready', 'w').close()
time.sleep(600)
"""


def modes() -> list[sandbox.Mode]:
    found: list[sandbox.Mode] = ["off"]
    if sandbox.probe()["mode"] == "bubblewrap":
        found.append("bubblewrap")
    return found


@pytest.fixture(params=modes())
def mode(request: pytest.FixtureRequest) -> sandbox.Mode:
    found: sandbox.Mode = request.param
    return found


def marked(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        arguments = process.info["cmdline"] or []
        if arguments and arguments[-1] == mark and process.pid != os.getpid():
            found.append(process.pid)
    return found


def wait_for(condition: object, timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def start(folder: Path, mark: str, mode: sandbox.Mode) -> Child:
    (folder / "box").mkdir()
    return Child(sandbox.Box(folder / "box"), ["-c", FAMILY, mark], console=folder / "console", mode=mode)


def test_kill_leaves_nothing_of_the_whole_tree(tmp_path: Path, mode: sandbox.Mode) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    child = start(tmp_path, mark, mode)
    wait_for((tmp_path / "box/ready").exists)
    wait_for(lambda: len(marked(mark)) >= 4)
    began = time.monotonic()
    child.kill()
    wait_for(lambda: not marked(mark), 1)
    assert time.monotonic() - began < 5


def test_the_tree_dies_with_its_supervisor(tmp_path: Path, mode: sandbox.Mode) -> None:
    mark = f"mark-{tmp_path.name}-{os.getpid()}"
    (tmp_path / "box").mkdir()
    code = f"""
import pathlib, time
from webapp.supervisor import sandbox
from webapp.supervisor.child import Child
folder = pathlib.Path({str(tmp_path)!r})
Child(sandbox.Box(folder / 'box'), ['-c', {FAMILY!r}, {mark!r}], console=folder / 'console', mode={mode!r})
time.sleep(600)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", code])
    wait_for((tmp_path / "box/ready").exists)
    wait_for(lambda: len(marked(mark)) >= 4)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    wait_for(lambda: not marked(mark), 5)


def test_terminate_reaches_the_innermost_process(tmp_path: Path, mode: sandbox.Mode) -> None:
    (tmp_path / "box").mkdir()
    code = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(75)); open('ready', 'w'); time.sleep(600)"
    child = Child(sandbox.Box(tmp_path / "box"), ["-c", code], console=tmp_path / "console", mode=mode)
    wait_for((tmp_path / "box/ready").exists)
    child.terminate()
    assert child.wait(5) == 75
    child.kill()


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 11)", 139)]
)
def test_exit_codes_come_through(tmp_path: Path, mode: sandbox.Mode, code: str, expected: int) -> None:
    (tmp_path / "box").mkdir()
    child = Child(sandbox.Box(tmp_path / "box"), ["-c", code], console=tmp_path / "console", mode=mode)
    assert child.wait(10) == expected
    child.kill()


def test_usage_counts_the_whole_tree(tmp_path: Path, mode: sandbox.Mode) -> None:
    (tmp_path / "box").mkdir()
    code = (
        "x = bytearray(100 * 2**20); x[::4096] = bytes(len(x[::4096])); open('ready', 'w'); import time; time.sleep(60)"
    )
    child = Child(sandbox.Box(tmp_path / "box"), ["-c", code], console=tmp_path / "console", mode=mode)
    wait_for((tmp_path / "box/ready").exists)
    assert 90 < child.usage().memory_mib < 300
    child.kill()


def test_a_tool_that_takes_too_long_or_too_much_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    folder.mkdir()
    assert run_tool(["-c", "import time; time.sleep(60)"], folder=folder, timeout_s=0.5).timed_out
    greedy = "x = bytearray(400 * 2**20); x[::4096] = bytes(len(x[::4096])); import time; time.sleep(60)"
    assert run_tool(["-c", greedy], folder=folder, timeout_s=20, memory_mib=200).out_of_memory
    result = run_tool(["-c", "open('out', 'w').write('1'); print('said')"], folder=folder, timeout_s=20)
    assert (result.returncode, result.log_tail, (folder / "out").read_text()) == (0, "said\n", "1")
