"""`deepseek up` from outside: start, health, stop, and what happens when a part is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deepseek.services.checks import free_port
from tests.environment import ROOT
from tests.studio import Api, RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
Start = Callable[..., RunningStudio]


def test_it_starts_is_healthy_and_stops_without_leaving_a_process(own_studio: Start) -> None:
    studio = own_studio()
    studio.wait_started()
    assert studio.health()[0] == 200
    assert set(studio.children()) == {"redis", "web", "worker"}
    processes = studio.tree()
    assert studio.stop(signal.SIGINT) == 0
    assert "Everything is stopped" in studio.output
    assert not [process for process in processes if process.is_running()]


def test_a_second_start_keeps_everything(own_studio: Start) -> None:
    first = own_studio()
    first.wait_started()
    kept = ("secret.key", "keys.pepper")
    secrets = [(first.home.root / name).read_text() for name in kept]
    with Api(first) as api:
        project = api.project
    first.stop(signal.SIGTERM)
    second = own_studio()
    second.wait_started()
    with Api(second) as api:
        assert api.project == project
    assert [(second.home.root / name).read_text() for name in kept] == secrets


def test_nothing_listens_on_the_network_but_the_web_server(studio: RunningStudio) -> None:
    listening = {
        (process.name(), connection.laddr.port)
        for process in studio.tree()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {port for _, port in listening} == {studio.port}


def test_a_killed_part_comes_back(own_studio: Start) -> None:
    studio = own_studio()
    studio.wait_started()
    for name in ("redis", "worker", "web"):
        killed = studio.children()[name]
        killed.kill()
        studio.wait_for(rf"`{name}` ended \(killed by SIGKILL\); starting it again", 10)
        deadline = time.monotonic() + 30
        while name not in studio.children() or studio.children()[name].pid == killed.pid:
            assert time.monotonic() < deadline, studio.output
            time.sleep(0.1)
    studio.wait_healthy()


def test_nothing_survives_when_the_keeper_itself_is_killed(own_studio: Start) -> None:
    studio = own_studio()
    studio.wait_started()
    processes = studio.tree()
    studio.process.kill()
    studio.process.wait()
    _, alive = psutil.wait_procs(processes, timeout=15)
    assert not alive
    assert not studio.home.is_running()


def test_health_names_a_missing_worker_until_one_is_started_beside(own_studio: Start) -> None:
    studio = own_studio("--no-worker")
    studio.wait_started()
    status, body = studio.health()
    assert (status, body["missing"]) == (503, ["worker"])
    worker = subprocess.Popen(
        [sys.executable, "-m", "deepseek.cli.app", "worker", "--queue", "cpu", "--queue", "control"],
        cwd=ROOT,
        env=studio.environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        studio.wait_healthy()
        processes = psutil.Process(worker.pid).children(recursive=True)
    finally:
        worker.send_signal(signal.SIGINT)
        assert worker.wait(40) == 0
    assert not [process for process in processes if process.is_running()]


def test_a_worker_without_a_studio_gets_a_sentence(home: Path) -> None:
    command = [sys.executable, "-m", "deepseek.cli.app", "worker"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"No studio runs on {home}" in done.stderr


def test_a_second_studio_on_the_same_home_gets_a_sentence(studio: RunningStudio) -> None:
    done = start_and_fail(DEEPSEEK_HOME=str(studio.home.root), PORT=str(free_port()))
    assert "A studio already runs" in done.stderr
    assert studio.url in done.stderr
    assert studio.health()[0] == 200


def test_a_taken_port_gets_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = start_and_fail(DEEPSEEK_HOME=str(tmp_path / "home"), PORT=port)
    assert f"Port {port} of 127.0.0.1 cannot be used: another program listens there" in done.stderr


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_gets_a_sentence(tmp_path: Path, port: str) -> None:
    done = start_and_fail(DEEPSEEK_HOME=str(tmp_path / "home"), PORT=port)
    assert "PORT must be a whole number" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only the administrator may mount a small disk")
def test_a_full_disk_gets_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]).returncode != 0:
        pytest.skip("this machine allows no mounts")
    try:
        done = start_and_fail(DEEPSEEK_HOME=str(folder / "home"))
    finally:
        subprocess.run(["umount", folder], check=True)
    assert "is full" in done.stderr
    assert "DEEPSEEK_HOME" in done.stderr


def start_and_fail(**variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "deepseek.cli.app", "up", "--no-browser"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done
