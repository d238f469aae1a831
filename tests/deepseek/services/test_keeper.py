"""Processes that are kept alive, with small programs in place of the real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from deepseek.services.child import Spec, tail
from tests.environment import ROOT

#: Starts a keeper whose child starts a grandchild that ignores SIGTERM; prints both ids and watches.
PROGRAM = """
import os, sys, time
from pathlib import Path
from deepseek.services.child import Spec
from deepseek.services.keeper import Keeper, StopAsked

folder = Path(sys.argv[1])
child = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
inner = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"], start_new_session=True)
open(sys.argv[1] + "/pids", "w").write(f"{os.getpid()} {inner.pid}")
time.sleep(600)
'''
keeper = Keeper(lambda line: print(line, flush=True))
keeper.listen()
try:
    keeper.start(Spec("web", [sys.executable, "-c", child, str(folder)], folder / "web.log", os.environ, stop_s=3))
    keeper.watch()
except StopAsked:
    pass
finally:
    keeper.stop()
"""


@pytest.fixture
def keeper(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()


def wait_pids(folder: Path, other_than: list[int] | None = None) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        path = folder / "pids"
        pids = [int(word) for word in path.read_text().split()] if path.exists() else []
        if len(pids) == 2 and pids != other_than:
            return pids
        time.sleep(0.02)
    raise AssertionError("the child did not start")


def wait_gone(pids: list[int], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < deadline, f"still there: {pids}"
        time.sleep(0.02)


def test_stopping_leaves_no_process_not_even_a_stubborn_one_in_another_session(
    keeper: subprocess.Popen[str], tmp_path: Path
) -> None:
    pids = wait_pids(tmp_path)
    keeper.send_signal(signal.SIGINT)
    assert keeper.wait(15) == 0
    wait_gone(pids, 0.5)


def test_a_child_that_dies_is_started_again_and_what_it_left_is_ended(
    keeper: subprocess.Popen[str], tmp_path: Path
) -> None:
    first = wait_pids(tmp_path)
    os.kill(first[0], signal.SIGKILL)
    second = wait_pids(tmp_path, other_than=first)
    wait_gone(first)
    assert psutil.pid_exists(second[0])
    assert "`web` ended (killed by SIGKILL); starting it again" in keeper.stdout.readline()


def test_an_orphan_that_ends_leaves_no_zombie(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; import psutil; from deepseek.services.child import Spec; "
        "from deepseek.services.keeper import Keeper\n"
        "keeper = Keeper(print)\n"
        'code = \'import subprocess, sys, time; subprocess.Popen(["sh", "-c", "sleep 0.2 & exit"]); time.sleep(600)\'\n'
        "keeper.start(Spec('worker', [sys.executable, '-c', code], Path(sys.argv[1]) / 'log', os.environ))\n"
        "end = time.monotonic() + 1.5\n"
        "while time.monotonic() < end:\n    keeper.tend()\n    time.sleep(0.05)\n"
        "print(len(psutil.Process().children()))\n"
        "keeper.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr


def test_children_die_with_a_keeper_that_is_killed(keeper: subprocess.Popen[str], tmp_path: Path) -> None:
    child, grandchild = wait_pids(tmp_path)
    keeper.kill()
    keeper.wait()
    wait_gone([child])
    psutil.Process(grandchild).kill()  # its own parent would have taken care of it


def test_a_child_that_ends_while_starting_is_shown_with_its_log(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from deepseek.services.child import Spec; "
        "from deepseek.services.keeper import Keeper\n"
        "keeper = Keeper(print)\n"
        "keeper.start(Spec('web', [sys.executable, '-c', 'raise SystemExit(\"no database\")'], "
        "Path(sys.argv[1]) / 'web.log', os.environ))\n"
        "try:\n    keeper.wait(lambda: False, 10, lambda: 'No answer')\n"
        "finally:\n    keeper.stop()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert "`web` did not start (exit code 1)" in done.stderr
    assert "no database" in done.stderr


def test_a_log_that_grew_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepseek.services import child

    monkeypatch.setattr(child, "LOG_LIMIT_BYTES", 10)
    log = tmp_path / "web.log"
    log.write_text("old text that is too long")
    started = child.Child.start(Spec("web", [sys.executable, "-c", "print('new')"], log, os.environ))
    assert started.process.wait(10) == 0
    assert tail(log) == "new"
    assert tail(tmp_path / "web.1.log").startswith("old text")
