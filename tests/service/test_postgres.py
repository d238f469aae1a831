"""The studio on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deepseek.services import backup
from deepseek.services.databases import Postgres
from deepseek.services.home import Home
from tests.environment import ROOT
from tests.studio import Api, digits

pytestmark = pytest.mark.service
#: Tests of processes and files, which never meet a database.
WITHOUT_A_DATABASE = ("child", "eventfile", "meter", "other_uid", "sandbox")


@pytest.mark.timeout(400)
def test_the_web_application_passes_its_tests_on_postgresql(new_database: Callable[[], str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "2", "tests/webapp"]
    command += [f"--ignore=tests/webapp/supervisor/test_{name}.py" for name in WITHOUT_A_DATABASE]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": new_database()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.timeout(180)
def test_a_studio_on_postgresql_trains(new_database: Callable[[], str], own_studio: Callable[..., Any]) -> None:
    studio = own_studio(DATABASE_URL=new_database())
    studio.wait_started()
    assert not studio.home.database.exists()
    with Api(studio) as api:
        run = api.wait(api.submit(digits(epochs=1)))
        assert run["status"] == "succeeded", run
        assert [event["seq"] for event in api.events(run["id"])] == list(range(1, run["head_seq"] + 1))


def test_a_backup_of_postgresql_brings_tables_back(new_database: Callable[[], str], tmp_path: Path) -> None:
    source, target = Postgres(new_database()), Postgres(new_database())
    run_sql(source, "CREATE TABLE runs (id serial PRIMARY KEY, name text); INSERT INTO runs (name) VALUES ('a'), ('b')")
    assert target.is_empty()
    homes = [Home(tmp_path / name) for name in ("home", "other")]
    for home in homes:
        home.create()
    places = [
        backup.Places(home, database, home.store.as_uri())
        for home, database in zip(homes, (source, target), strict=True)
    ]
    backup.save(places[0], tmp_path / "b.tar")
    backup.restore(places[1], tmp_path / "b.tar", force=False)
    assert run_sql(target, "SELECT string_agg(name, ',' ORDER BY id) FROM runs") == "a,b"


def test_a_forced_restore_replaces_the_tables(new_database: Callable[[], str], tmp_path: Path) -> None:
    database = Postgres(new_database())
    run_sql(database, "CREATE TABLE runs (name text); INSERT INTO runs VALUES ('old')")
    home = Home(tmp_path / "home")
    home.create()
    places = backup.Places(home, database, home.store.as_uri())
    backup.save(places, tmp_path / "b.tar")
    run_sql(database, "UPDATE runs SET name = 'newer'")
    backup.restore(places, tmp_path / "b.tar", force=True)
    assert run_sql(database, "SELECT name FROM runs") == "old"


def run_sql(database: Postgres, statement: str) -> str:
    import psycopg

    with psycopg.connect(database.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""
