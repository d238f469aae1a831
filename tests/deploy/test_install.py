"""The installer that runs before any package is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from deploy import install
from tests.environment import ROOT

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: command 'gcc' failed: No such file or directory", "build-essential"),
        ("NewConnectionError: Failed to establish a new connection: [Errno 101]", "network"),
        ("[Errno 13] Permission denied: '/srv/.venv'", "owner"),
    ],
)
def test_a_known_failure_gets_a_sentence(output: str, words: str) -> None:
    assert words in str(install.explain(output))


def test_an_unknown_failure_shows_what_the_program_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(install.InstallError, match="the lines above say why"):
        install.run([sys.executable, "-c", "raise SystemExit('strange')"])
    assert "strange" in capsys.readouterr().err


def test_a_disk_without_room_is_noticed_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 100 * 2**20))
    with pytest.raises(install.InstallError, match="100 MiB free"):
        install.check_machine(tmp_path / ".venv")


def test_a_newer_python_asks_for_a_redis_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(install.InstallError, match="redis-server"):
        install.check_machine(tmp_path / ".venv")


def test_make_says_so_when_there_is_no_python(tmp_path: Path) -> None:
    for name in ("make", "bash", "find", "mkdir", "sed", "touch"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    done = subprocess.run(
        ["make", "-C", str(ROOT), "install", f"VENV={tmp_path / 'venv'}", f"SHELL={tmp_path / 'bash'}"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "no Python 3.11 or newer was found" in done.stderr


def test_every_dependency_has_a_tested_version() -> None:
    import re
    import tomllib

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in wanted} - {"deepseek-studio"}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonical(line.partition("==")[0]) for line in lines if "==" in line}
    assert not names - pinned
