"""Fixtures of the text tests."""

from tests.engine.data.bench import bench

__all__ = ["bench"]
