"""Habits that no linter knows: small modules, no leftovers, no traces of one machine, a docstring for each module."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.environment import ROOT

PACKAGES = ("engine", "webapp", "deepseek", "notebooks_ext")
LONGEST_MODULE = 400
#: Modules that may be longer, each with its reason.
LONG_MODULES: dict[str, str] = {}

#: What must not stay in a source file. Parts are joined here so that this file does not find itself.
LEFTOVERS = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "HA" + r"CK\b", "Not" + r"ImplementedError\(\)"]))
MACHINE_PATHS = re.compile("|".join(["/wo" + "rk/", "/opt/" + "pypi", "/opt/" + "wheels", r"/home/(?!you\b|me\b)\w+/"]))
REGISTRIES = re.compile(
    "|".join(
        [
            r"pypi\.o" + "rg",
            "files.python" + r"hosted\.org",
            r"registry\.np" + r"mjs\.org",
            r"download\.py" + r"torch\.org/whl",
        ]
    )
)

SOURCE_SUFFIXES = {".py", ".ts", ".tsx", ".css", ".html", ".md", ".toml", ".json", ".txt", ".yaml", ".yml", ".cfg", ""}


def tracked(*suffixes: str) -> list[Path]:
    """Every file of the repository that exists, by its suffix."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / line for line in listed.splitlines()]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


def modules() -> list[Path]:
    """Every Python module of our packages, also those not committed yet."""
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def test_no_module_is_longer_than_people_can_read() -> None:
    names = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    too_long = {name: lines for name, lines in names.items() if lines > LONGEST_MODULE and name not in LONG_MODULES}
    assert not too_long, f"split these by responsibility: {too_long}"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if (tree := ast.parse(path.read_text())).body and ast.get_docstring(tree) is None
    ]
    assert not silent


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("a leftover", LEFTOVERS), ("the path of one machine", MACHINE_PATHS), ("the host of a registry", REGISTRIES)],
)
def test_no_file_keeps(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path.suffix in SOURCE_SUFFIXES and path.name != "package-lock.json"
        for match in [pattern.search(path.read_text(errors="ignore"))]
        if match
    ]
    assert not found, f"{what}: {found}"


def test_only_the_sources_of_the_front_end_are_kept() -> None:
    built = [path for path in tracked() if {"dist", "node_modules"} & set(path.relative_to(ROOT).parts)]
    assert not built


def test_make_looks_for_tests_of_a_running_studio_where_they_are() -> None:
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("STUDIO_TESTS :="))
    folders = line.partition(":=")[2].split()
    marked = re.compile(r"mark\.(?:e2e|serv" + r"ice)\b")
    lost = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if marked.search(path.read_text()) and not any(path.is_relative_to(ROOT / folder) for folder in folders)
    ]
    assert not lost, f"add their folder to STUDIO_TESTS: {lost}"
