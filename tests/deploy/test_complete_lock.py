"""The lock of the front end names the packages of every platform, wherever it was made."""

from __future__ import annotations

import json

from deploy import complete_lock


def test_the_lock_is_complete() -> None:
    lock = json.loads(complete_lock.LOCK.read_text())
    assert not complete_lock.missing(lock), "run .venv/bin/python deploy/complete_lock.py"


def test_a_package_of_another_platform_is_added_with_its_platform() -> None:
    package = {"dev": True, "optionalDependencies": {"@a/tool-linux-x64": "1.2.3", "@a/tool-linux-x64-musl": "1.2.3"}}
    lock = {"packages": {"": {}, "node_modules/tool": package, "node_modules/@a/tool-linux-x64": {"version": "1.2.3"}}}
    added = complete_lock.missing(lock)
    assert added == {
        "node_modules/@a/tool-linux-x64-musl": {
            "version": "1.2.3",
            "cpu": ["x64"],
            "dev": True,
            "libc": ["musl"],
            "optional": True,
            "os": ["linux"],
        }
    }
