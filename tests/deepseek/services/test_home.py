"""The folder of one studio."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deepseek.errors import DeepSeekError
from deepseek.services.home import SOCKET_PATH_LIMIT, Home


def test_what_is_private_is_open_to_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (home.root, home.run, home.logs))


def test_creating_twice_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    (home.logs / "web.log").write_text("kept")
    home.create()
    assert (home.logs / "web.log").read_text() == "kept"


def test_a_second_studio_on_one_home_is_told_where_the_first_is(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    with home.locked("http://localhost:8123"):
        assert home.is_running()
        with pytest.raises(DeepSeekError, match=rf"process {os.getpid()}, http://localhost:8123"), home.locked("x"):
            pass
    assert not home.is_running()
    with home.locked("http://localhost:8124"):
        pass


def test_a_long_path_gets_a_socket_that_fits(tmp_path: Path) -> None:
    home = Home(tmp_path / ("long" * 30) / "home")
    home.create()
    try:
        assert len(str(home.redis_socket)) <= SOCKET_PATH_LIMIT
        assert home.redis_socket.parent.stat().st_mode & 0o777 == 0o700
    finally:
        home.redis_socket.parent.rmdir()


def test_a_home_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeepSeekError, match="cannot be used"):
        Home(tmp_path / "file" / "home").create()
