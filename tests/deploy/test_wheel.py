"""The wheel holds everything that a studio needs beside its dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.environment import ROOT

pytestmark = pytest.mark.slow


def test_an_unpacked_wheel_finds_its_pages_examples_and_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("deepseek_studio-*.whl")
    package = tmp_path / "package"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(package)
    assert not [name for name in names if name.startswith(("tests/", "static/", "node_modules/"))]
    assert [name for name in names if name.endswith(".mo")]

    code = (
        "import json, webapp, deepseek.services.diagnosis as d; from django.conf import settings as s; "
        "print(json.dumps([webapp.__file__, next(d.front_end()).level, s.EXAMPLES.is_dir(), s.FRONT_END.is_dir()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package), "DJANGO_SETTINGS_MODULE": "webapp.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    where, front_end, has_examples, has_pages = json.loads(done.stdout)
    assert Path(where).is_relative_to(package)
    assert (front_end, has_examples, has_pages) == ("ok", True, True)
