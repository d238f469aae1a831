"""What is looked at before anything is started."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from deepseek.errors import DeepSeekError
from deepseek.services import checks

Usage = namedtuple("Usage", "total used free")


def test_a_taken_port_is_named_and_another_is_proposed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeepSeekError, match=f"Port {port} .* another program listens there") as caught:
            checks.check_port("127.0.0.1", port)
    assert "PORT=" in str(caught.value.hint)


def test_a_free_port_is_fine() -> None:
    checks.check_port("127.0.0.1", checks.free_port())


def test_a_strange_host_is_named() -> None:
    with pytest.raises(DeepSeekError, match="no.such.host.invalid"):
        checks.check_port("no.such.host.invalid", 8000)


@pytest.mark.parametrize(("free_mib", "is_enough"), [(50, False), (1000, True), (90000, True)])
def test_a_full_disk_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mib: int, is_enough: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free_mib * 2**20))
    if is_enough:
        assert (checks.check_disk(tmp_path) is None) == (free_mib > checks.LITTLE_FREE_MIB)
    else:
        with pytest.raises(DeepSeekError, match="is full: 50 MiB"):
            checks.check_disk(tmp_path)
