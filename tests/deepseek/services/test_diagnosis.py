"""What `deepseek doctor` finds, and what it says to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deepseek.services import diagnosis
from deepseek.services.home import Home
from tests.environment import ROOT


def pretend_installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    real = diagnosis.installed
    monkeypatch.setattr(diagnosis, "installed", lambda name: versions.get(name.replace("-", "_")) or real(name))


def test_our_own_name_is_fine() -> None:
    (finding,) = diagnosis.names()
    assert finding.level in ("ok", "warning")


@pytest.mark.parametrize("name", ["deepseek", "deepseek-cli"])
def test_a_strangers_package_is_reported(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend_installed(monkeypatch, **{name.replace("-", "_"): "1.0.0"})
    first = next(diagnosis.names())
    assert first.level == "error"
    assert f"{name} 1.0.0" in first.text
    assert f"pip uninstall {name}" in str(first.hint)


def test_a_module_that_shadows_ours_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deepseek").mkdir()
    (tmp_path / "deepseek" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (finding,) = diagnosis.names()
    assert finding.level == "error"
    assert str(tmp_path) in finding.text


def test_the_ninja_clash_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(diagnosis.ninja_clash()) == []
    pretend_installed(monkeypatch, ninja="1.13.0")
    (finding,) = diagnosis.ninja_clash()
    assert finding.level == "error"
    assert "django-ninja" in finding.text


def test_a_missing_compiler_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    (finding,) = diagnosis.compiler()
    assert finding.level == "warning"
    assert "torch.compile" in finding.text


def test_no_redis_is_an_error_unless_another_one_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from deepseek.services import redis

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis, "find_spec", lambda name: None)
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert [finding.level for finding in diagnosis.redis()] == ["error"]
    monkeypatch.setenv("REDIS_URL", "redis://broker.example.org")
    assert [finding.level for finding in diagnosis.redis()] == ["warning"]


def test_a_home_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    home = Home(tmp_path / "not" / "yet")
    findings = [*diagnosis.disk(home), *diagnosis.database(home), *diagnosis.running(home)]
    assert {finding.level for finding in findings} <= {"ok", "warning"}
    assert not home.root.exists()


def test_the_exit_code_follows_the_worst_finding(home: Path) -> None:
    command = [sys.executable, "-m", "deepseek.cli.app", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    findings = json.loads(done.stdout)
    assert done.returncode == (1 if any(finding["level"] == "error" for finding in findings) else 0)
    assert {"Python", "Names", "Packages", "Devices", "Redis", "Sandbox", "Disk", "Database"} <= {
        finding["what"] for finding in findings
    }
