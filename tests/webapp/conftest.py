"""A database that threads and processes can share, quiet bells, and a few people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.test.utils import override_settings

from tests.environment import HOME

PASSWORD = "a long password"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite in a file: runs are carried out by threads, and a database in memory belongs to one connection."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"] = {**database.get("TEST", {}), "NAME": str(HOME / "test.sqlite3")}


@pytest.fixture(autouse=True, scope="session")
def quiet_bells() -> Any:
    """Wake-ups within this process; no Redis is needed."""
    layers = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    with override_settings(CHANNEL_LAYERS=layers), mock.patch("webapp.celery.Ringer.ring"):
        yield


@pytest.fixture(autouse=True, scope="session")
def chinese_texts() -> None:
    """Compile the texts of the pages, as `make` does before a start."""
    for source in Path(settings.LOCALE_PATHS[0]).rglob("*.po"):
        compiled = source.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime:
            with source.open("rb") as stream, compiled.open("wb") as target:
                write_mo(target, read_po(stream))


@pytest.fixture(autouse=True)
def quick_passwords() -> Any:
    """Hash passwords fast: a test makes many accounts."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@dataclass
class People:
    """A workspace with one member of each role, and a stranger."""

    owner: Any
    editor: Any
    viewer: Any
    stranger: Any
    workspace: Any
    project: Any


@pytest.fixture
def people(db: None) -> People:
    """Members and a stranger; their passwords are `PASSWORD`."""
    from webapp.accounts.models import User
    from webapp.workspaces.changes import create_workspace
    from webapp.workspaces.models import Membership, Role

    names = ("owner", "editor", "viewer", "stranger")
    users = {name: User.objects.create_user(email=f"{name}@example.org", password=PASSWORD) for name in names}
    workspace = create_workspace(users["owner"], "Lab")
    create_workspace(users["stranger"], "Elsewhere")
    for role in (Role.EDITOR, Role.VIEWER):
        Membership.objects.create(workspace=workspace, user=users[role], role=role)
    return People(**users, workspace=workspace, project=workspace.projects.get())
