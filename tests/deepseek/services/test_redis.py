"""Which Redis is chosen, and that it listens nowhere but in its folder."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from deepseek.errors import DeepSeekError
from deepseek.services import redis
from deepseek.services.home import Home


def fake(folder: Path, version: str) -> Path:
    folder.mkdir()
    program = folder / "redis-server"
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0 malloc=libc bits=64 build=0'\n")
    program.chmod(0o755)
    return program


def test_the_newest_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = fake(tmp_path / "a", "99.1.10")
    fake(tmp_path / "b", "99.1.9")
    monkeypatch.setenv("PATH", f"{tmp_path / 'b'}:{tmp_path / 'a'}:{os.environ['PATH']}")
    assert redis.find_redis().path == newest


def test_one_that_is_too_old_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "a", "5.0.14")
    monkeypatch.setenv("PATH", str(tmp_path / "a"))
    monkeypatch.setattr(redis, "find_spec", lambda name: None)
    with pytest.raises(DeepSeekError, match="no redis-server") as caught:
        redis.find_redis()
    assert "apt-get install redis-server" in str(caught.value.hint)


def test_it_listens_on_a_private_socket_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    configuration = redis.write_configuration(redis.find_redis(), home)
    process = subprocess.Popen([redis.find_redis().path, configuration], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not redis.answers(home.redis_socket):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert home.redis_socket.stat().st_mode & 0o777 == 0o700
        assert not [c for c in psutil.Process(process.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    finally:
        process.terminate()
        process.wait(10)
    assert not redis.answers(home.redis_socket)
