"""Fixtures of the data tests."""

import os
from pathlib import Path

import pytest

from tests.engine.data.bench import bench

__all__ = ["bench"]


@pytest.fixture
def test_data() -> Path:
    """The folder with real data sets: DEEPSEEK_TEST_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    folder = Path(os.environ.get("DEEPSEEK_TEST_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no folder of real data: set DEEPSEEK_TEST_DATA")
    return folder
