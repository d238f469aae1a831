"""What would make the studio misbehave later, said at its start. Called by ``manage.py check`` and every command."""

from __future__ import annotations

import importlib.metadata
import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

SQLITE_AT_LEAST = (3, 35)  # UPDATE ... RETURNING


@register(Tags.compatibility)
def nothing_hides_ninja(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The distribution ``ninja`` (a build tool) installs a package of the same name over django-ninja's."""
    installed = {str(d.metadata["Name"]).lower() for d in importlib.metadata.distributions(name="ninja")}
    if "ninja" not in installed:
        return []
    return [
        Error(
            "The distribution `ninja` shares its import name with django-ninja and breaks the REST API.",
            hint="pip uninstall ninja && pip install --force-reinstall --no-deps django-ninja",
            id="studio.E001",
        )
    ]


@register(Tags.database)
def sqlite_is_new_enough(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Older SQLite libraries lack statements that runs use."""
    uses_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    if not uses_sqlite or sqlite3.sqlite_version_info >= SQLITE_AT_LEAST:
        return []
    return [
        Error(
            f"SQLite {sqlite3.sqlite_version} is too old.",
            hint="Use a newer Python, or PostgreSQL by DATABASE_URL.",
            id="studio.E002",
        )
    ]


@register(Tags.security)
def addresses_are_known(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """A server that listens everywhere answers only to names it was told."""
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(Warning("DEBUG is on: errors show the program to everybody.", id="studio.W001"))
    listens_everywhere = settings.HOST in {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
    if listens_everywhere and set(settings.ALLOWED_HOSTS) <= set(settings.LOCAL_HOSTS):
        found.append(
            Warning(
                "The studio listens on every address but answers only to localhost.",
                hint="Name its address: ALLOWED_ORIGINS=https://studio.example.org",
                id="studio.W002",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(Error("ALLOWED_HOSTS must name hosts exactly.", id="studio.E003"))
    return found
