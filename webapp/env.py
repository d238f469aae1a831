"""Reads settings from the environment; a value that cannot be used stops the start with a sentence.

Called by ``webapp.settings`` only. Must not know what a setting is for.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """The variable, or the default when it is absent or empty."""
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int, *, low: int, high: int) -> int:
    """A whole number between two bounds."""
    raw = text(name, str(default))
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, it is {raw!r}") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} must lie between {low} and {high}, it is {value}")
    return value


def boolean(name: str, default: bool) -> bool:
    """Yes or no, in the usual spellings."""
    raw = text(name, "1" if default else "0").lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, it is {raw!r}")


def words(name: str) -> list[str]:
    """A list separated by commas or spaces."""
    return text(name, "").replace(",", " ").split()


def origins(name: str) -> list[str]:
    """Origins, each exactly ``scheme://host[:port]``."""
    found = words(name)
    for origin in found:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
            raise ImproperlyConfigured(f"{name}: {origin!r} is not an origin such as https://studio.example.org")
    return found


def secret_file(path: Path) -> str:
    """A secret kept in a file that only its owner can read; made when it is absent."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(48) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise ImproperlyConfigured(f"The secret file {path} cannot be written: {error.strerror}") from None
    if path.stat().st_mode & 0o077:
        raise ImproperlyConfigured(f"Other accounts can read {path}. Run: chmod 600 {path}")
    value = path.read_text().strip()
    if len(value) < 32:
        raise ImproperlyConfigured(f"{path} holds fewer than 32 characters. Delete it; a new one will be made.")
    return value


def database(url: str) -> dict[str, Any]:
    """A ``DATABASE_URL`` as Django's configuration: ``sqlite:////path/file`` or ``postgresql://user@host/name``."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(parts.path)[1:] if parts.path.startswith("//") else unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must begin with postgresql:// or sqlite://, not {parts.scheme!r}")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(options.pop("port", parts.port or "")),
        "OPTIONS": options,
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite as a durable server database.

    A commit is on the disk before it is acknowledged, readers do not wait for the writer, and a transaction takes its
    write lock at its start, so that it can wait for another writer instead of failing half-way.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }
