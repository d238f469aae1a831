"""The documents name what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deepseek.cli.app import COMMANDS
from tests.environment import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
PLACE = re.compile(
    r"`((?:engine|webapp|deepseek|notebooks_ext|deploy|tests|examples|benchmarks|static/studio|docs)/[\w./-]*)`"
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_places_exist(document: Path) -> None:
    text = document.read_text()
    broken = [target for target in LINK.findall(text) if not (document.parent / target).exists()]
    broken += [place for place in PLACE.findall(text) if not (ROOT / place).exists()]
    assert not broken


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    missing = [name for name in COMMANDS if f"deepseek {name}" not in text]
    assert not missing


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name for document in DOCUMENTS for name in re.findall(r"`(?:\w+=\S+ )*make ([a-z-]+)", document.read_text())
    }
    assert named <= targets


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_every_environment_variable_of_the_settings_is_documented() -> None:
    settings = (ROOT / "webapp" / "settings.py").read_text()
    docstring, _, code = settings.removeprefix('"""').partition('"""')
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code)) | set(re.findall(r'env\.text\("([A-Z_]+)"', code))
    undocumented = sorted(name for name in read if f"``{name}``" not in docstring)
    assert not undocumented
