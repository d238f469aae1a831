"""Settings from the environment say what is wrong with them; the web process stays light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as live
from django.core.exceptions import ImproperlyConfigured

from webapp import env

SETTINGS = "import webapp.settings as s; print({})"


def start(home: Path, expression: str = "s.PORT", **variables: str) -> subprocess.CompletedProcess[str]:
    """Read the settings in a process of their own."""
    clean = {k: v for k, v in os.environ.items() if k in {"PATH", "PYTHONPATH", "LANG"}}
    return subprocess.run(
        [sys.executable, "-c", SETTINGS.format(expression)],
        env={**clean, "DEEPSEEK_HOME": str(home), **variables},
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORT": "many"}, "PORT must be a whole number"),
        ({"PORT": "70000"}, "PORT must lie between 1 and 65535"),
        ({"DEBUG": "perhaps"}, "DEBUG must be 1 or 0"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must begin with postgresql://"),
        ({"ALLOWED_ORIGINS": "studio.example.org"}, "is not an origin such as"),
        ({"ALLOWED_ORIGINS": "https://studio.example.org/"}, "is not an origin such as"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(tmp_path: Path, variables: dict[str, str], words: str) -> None:
    ended = start(tmp_path, **variables)

    assert ended.returncode != 0
    assert words in ended.stderr


def test_the_defaults_are_safe(tmp_path: Path) -> None:
    expression = "s.DEBUG, '*' in s.ALLOWED_HOSTS, s.SESSION_COOKIE_SAMESITE, s.HOST"

    assert start(tmp_path, expression).stdout.strip() == "False False Lax 127.0.0.1"


def test_https_makes_cookies_secure(tmp_path: Path) -> None:
    expression = "s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_NAME, s.ALLOWED_HOSTS"

    shown = start(tmp_path, expression, ALLOWED_ORIGINS="https://studio.example.org").stdout

    assert "True __Host-session" in shown
    assert "studio.example.org" in shown


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    first = env.secret_file(tmp_path / "secret")

    assert env.secret_file(tmp_path / "secret") == first
    assert len(first) >= 64
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    env.secret_file(tmp_path / "secret")
    (tmp_path / "secret").chmod(0o644)

    with pytest.raises(ImproperlyConfigured, match="chmod 600"):
        env.secret_file(tmp_path / "secret")


def test_a_short_secret_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    (tmp_path / "secret").chmod(0o600)

    with pytest.raises(ImproperlyConfigured, match="fewer than 32 characters"):
        env.secret_file(tmp_path / "secret")


def test_database_urls() -> None:
    found = env.database("postgresql://me:p%40ss@db.example:5433/studio?sslmode=require")

    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "me",
        "p@ss",
        "db.example",
        "5433",
        "studio",
    )
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert env.database("sqlite:////tmp/studio.sqlite3")["NAME"] == Path("/tmp/studio.sqlite3")
    socket = env.database("postgresql:///studio?host=/run/postgresql")
    assert (socket["HOST"], socket["OPTIONS"]) == ("/run/postgresql", {})


@pytest.mark.django_db
def test_sqlite_commits_are_durable() -> None:
    from django.db import connection

    if connection.vendor != "sqlite":
        pytest.skip("another database is tested")
    with connection.cursor() as cursor:
        found = [cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert found == ["wal", 2]


def test_the_web_process_starts_without_heavy_packages(tmp_path: Path) -> None:
    program = (
        "import sys, webapp.asgi, webapp.urls; "
        "print(sorted({'torch', 'numpy', 'pandas', 'pyarrow', 'sklearn', 'scipy', 'plotly'} & set(sys.modules)))"
    )
    clean = {k: v for k, v in os.environ.items() if k in {"PATH", "PYTHONPATH", "LANG"}}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**clean, "DEEPSEEK_HOME": str(tmp_path)},
        cwd=live.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout.strip(), ended.returncode) == ("[]", 0), ended.stderr


def test_the_build_tool_ninja_is_named_when_it_hides_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from webapp import checks

    class Found:
        metadata = {"Name": "ninja"}

    monkeypatch.setattr("importlib.metadata.distributions", lambda **_: [Found()])

    assert [problem.id for problem in checks.nothing_hides_ninja(None)] == ["studio.E001"]


def test_listening_everywhere_needs_names(settings: object) -> None:
    from webapp import checks

    settings.HOST, settings.ALLOWED_HOSTS = "0.0.0.0", ["localhost"]

    assert "studio.W002" in [problem.id for problem in checks.addresses_are_known(None)]
