"""Where bubblewrap cannot run: the walls are another uid. Real runs are carried out behind them, hostile ones tried.

Another uid has to be able to read the interpreter and the libraries, and the worker has to be root; elsewhere these
tests are skipped and say why. The environment they run in is a virtual one beside ours, without a bubblewrap.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.environment import ROOT
from webapp.supervisor import sandbox

CANARY = "canary-2f90aa"
UID = sandbox.FIRST_UID
CANDIDATES = (
    Path(sys.base_prefix) / "bin/python3",
    Path("/usr/bin") / f"python{sys.version_info[0]}.{sys.version_info[1]}",
)

#: Runs each line of code that it reads behind the walls, in one folder, and prints what each printed.
DRIVER = """
import json, pathlib, sys
from webapp.supervisor import sandbox
from webapp.supervisor.child import Child

folder, codes = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
answers = {}
for name, code in codes.items():
    console = folder.parent / "console.txt"
    console.unlink(missing_ok=True)
    child = Child(sandbox.Box(folder), ["-c", code], console=console, mode=sandbox.mode())
    child.close()
    child.wait(30)
    child.kill()
    answers[name] = console.read_text(errors="replace").strip()
print(json.dumps({"mode": sandbox.mode(), "answers": answers}))
"""


def as_other(*command: str | Path) -> bool:
    """True when a process of another uid can do this."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, user=UID, group=UID, extra_groups=[], cwd="/", capture_output=True, check=False)
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.fixture(scope="module")
def python() -> Iterator[Path]:
    """An interpreter that another uid can use, with our libraries and without a bubblewrap."""
    if os.getuid() != 0:
        pytest.skip("only root can give a run another uid")
    if shutil.which("bwrap"):
        pytest.skip("the system has a bubblewrap of its own")
    base = next((path for path in CANDIDATES if path.exists() and as_other(path, "-c", "pass")), None)
    if base is None:
        pytest.skip("another uid can read no Python of this version")
    folder = Path(tempfile.mkdtemp(prefix="deepseek-uid-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
        libraries = next(folder.glob("lib/python*/site-packages"))
        (libraries / "ours.pth").write_text(sysconfig.get_path("purelib"))
        made = folder / "bin/python"
        if not as_other(made, "-c", f"import numpy, sys; sys.path.insert(0, {str(ROOT)!r}); import engine.errors"):
            pytest.skip("another uid cannot read the libraries or the source")
        yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tries(python: Path) -> Iterator[dict[str, str]]:
    """What a hostile run printed at each of its tries."""
    home = Path(tempfile.mkdtemp(prefix="deepseek-home-", dir="/var/tmp"))
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], env={"SECRET": CANARY})
    try:
        home.chmod(0o711)
        box, other = home / "runs/mine/box", home / "runs/other/box"
        for folder, uid in ((box, UID), (other, UID + 1)):
            folder.mkdir(parents=True)
            folder.chmod(0o711)
            sandbox.own(folder, uid)
        for path in (home / "studio.sqlite3", home / "secret.key", other / "weights"):
            path.write_text(CANARY)
            path.chmod(0o600)
        (home / "run").mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as redis, socket.create_server(("127.0.0.1", 0)) as server:
            redis.bind(str(home / "run/redis.sock"))
            redis.listen()
            port = server.getsockname()[1]
            codes = {
                "uid": "import os; print(os.getresuid(), os.getgroups())",
                "engine": "import engine.errors, numpy; print('fine')",
                "write": "open('result', 'w').write('yes'); print(open('result').read())",
                "database": f"print(open({str(home / 'studio.sqlite3')!r}).read())",
                "secret": f"print(open({str(home / 'secret.key')!r}).read())",
                "other run": f"print(open({str(other / 'weights')!r}).read())",
                "list of runs": f"import os; os.listdir({str(other)!r}); print({CANARY!r})",
                "redis": f"import socket; socket.socket(socket.AF_UNIX).connect({str(home / 'run/redis.sock')!r})",
                "port": f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)",
                "environment": f"print(open('/proc/{bystander.pid}/environ').read())",
                "signal": f"import os; os.kill({bystander.pid}, 9)",
                "root": "import os; os.setuid(0); print(os.getuid())",
                "libraries": f"open({str(python.parent.parent / 'evil.py')!r}, 'w')",
                "source": f"open({str(ROOT / 'engine/evil.py')!r}, 'w')",
                "shadow": "print(open('/etc/shadow').read())",
            }
            done = subprocess.run(
                [python, "-c", DRIVER, box],
                cwd=ROOT,
                input=json.dumps(codes),
                capture_output=True,
                text=True,
                timeout=110,
            )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["mode"] == "uid"
        yield {**said["answers"], "bystander": str(bystander.poll()), "result": (box / "result").read_text()}
    finally:
        bystander.kill()
        bystander.wait()
        shutil.rmtree(home)


def test_the_run_is_somebody_else_and_can_work(tries: dict[str, str]) -> None:
    assert tries["uid"] == f"({UID}, {UID}, {UID}) []"
    assert tries["engine"] == "fine"
    assert tries["write"] == tries["result"] == "yes"


@pytest.mark.parametrize(
    "name",
    [
        "database",
        "secret",
        "other run",
        "list of runs",
        "redis",
        "environment",
        "signal",
        "root",
        "libraries",
        "source",
        "shadow",
    ],
)
def test_what_belongs_to_others_is_refused(tries: dict[str, str], name: str) -> None:
    assert "PermissionError" in tries[name]
    assert CANARY not in tries[name]


def test_no_port_of_the_machine_can_be_reached(tries: dict[str, str]) -> None:
    assert "Error" in tries["port"]


def test_a_process_of_the_worker_outlives_its_signals(tries: dict[str, str]) -> None:
    assert tries["bystander"] == "None"


def test_the_doctor_says_which_walls_there_are(python: Path) -> None:
    done = subprocess.run([python, "-m", "webapp.supervisor.sandbox"], cwd=ROOT, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["mode"] == "uid"
    assert "bubblewrap does not work" in said["detail"]


def test_a_run_goes_from_its_claim_to_its_last_event_as_another_uid(python: Path) -> None:
    tests = ROOT / "tests/webapp/supervisor/test_attempt.py"
    names = ("a_run_goes_from_its_claim_to_its_last_event", "the_folder_of_a_run_is_gone_after_its_end")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(f"{tests}::test_{name}" for name in names)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
