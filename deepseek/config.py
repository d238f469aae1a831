"""What ``deepseek config set`` keeps: the address of a studio and the key to it.

Called by the command line and by ``Studio()``. The file is readable by its owner only and its key is never printed.
Environment variables win over the file, so that a CI job needs no file.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

from deepseek.errors import UsageError

ENVIRONMENT = {
    "studio": "DEEPSEEK_STUDIO_URL",
    "api_key": "DEEPSEEK_API_KEY",
    "project": "DEEPSEEK_PROJECT",
}


@dataclass(frozen=True)
class Config:
    """Where a studio is and how to be let in.

    Parameters
    ----------
    studio
        Its address, for example ``http://localhost:8000``.
    api_key
        A key from the account page of the studio (``dsk_...``).
    project
        Id of the project that runs go to; without it, the first one.
    """

    studio: str | None = None
    api_key: str | None = None
    project: str | None = None

    def __repr__(self) -> str:
        key = "set" if self.api_key else "not set"
        return f"Config(studio={self.studio!r}, api_key={key}, project={self.project!r})"


def home() -> Path:
    """The folder of everything that the studio and the SDK keep on this machine (``DEEPSEEK_HOME``)."""
    return Path(os.environ.get("DEEPSEEK_HOME") or "~/.deepseek-studio").expanduser()


def config_path() -> Path:
    """Where the configuration lies."""
    return home() / "config.json"


def load() -> Config:
    """The configuration: file first, then the environment over it."""
    config = _read_file()
    return replace(config, **{name: os.environ[key] for name, key in ENVIRONMENT.items() if os.environ.get(key)})


def save(**changes: str | None) -> Path:
    """Change some values; None leaves a value as it is, an empty text removes it.

    Returns
    -------
    Path
        The file, with mode 0600.
    """
    if changes.get("studio"):
        changes["studio"] = check_url(str(changes["studio"]))
    config = replace(_read_file(), **{name: value or None for name, value in changes.items() if value is not None})
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".config-")  # mkstemp: mode 0600 from the start
    with os.fdopen(handle, "w") as stream:
        json.dump({name: value for name, value in asdict(config).items() if value}, stream, indent=2)
    Path(temporary).replace(path)
    return path


def check_url(url: str) -> str:
    """The address without a slash at its end.

    >>> check_url("http://localhost:8000/")
    'http://localhost:8000'
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"{url!r} is not the address of a studio", hint="It looks like http://localhost:8000.")
    return url.rstrip("/")


def _read_file() -> Config:
    path = config_path()
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return Config()
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="Delete it and run `deepseek config set` again."
        ) from None
    known = {field.name for field in fields(Config)}
    if not isinstance(content, dict):
        content = {}
    return Config(**{name: value for name, value in content.items() if name in known and isinstance(value, str)})
