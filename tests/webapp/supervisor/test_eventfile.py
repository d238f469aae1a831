"""The event file: whole lines once, whatever the sizes of writes and reads, and limits for whoever floods it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.supervisor import eventfile, protocol
from webapp.supervisor.eventfile import EventFile, ProtocolError, remaining_lines


@settings(max_examples=50, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" ")), max_size=20),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=40),
)
def test_lines_come_whole_and_once_however_they_are_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("events") / "events"
    data = b"".join(line + b"\n" for line in lines)
    seen: list[bytes] = []
    with EventFile(path) as file:
        at = 0
        for number in range(len(data) + 1):
            size = cuts[number % len(cuts)]
            os.write(file.writer, data[at : at + size])
            at += size
            seen += file.take()
            assert file.offset == sum(len(line) + 1 for line in seen)
            if at >= len(data):
                break
        seen += file.take()
    assert seen == lines


def test_another_reader_goes_on_where_the_first_had_stored(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b"one\ntwo\nthr")
    assert list(remaining_lines(path, 0)) == [(b"one", 4), (b"two", 8)]
    assert list(remaining_lines(path, 4)) == [(b"two", 8)]
    assert list(remaining_lines(tmp_path / "absent", 0)) == []


def test_a_new_line_wakes_the_reader_at_once(tmp_path: Path) -> None:
    with EventFile(tmp_path / "events") as file:
        threading.Timer(0.1, lambda: os.write(file.writer, b"now\n")).start()
        began = time.monotonic()
        file.wait(5)
        assert time.monotonic() - began < 1
        assert file.take() == [b"now"]


def test_a_file_that_becomes_shorter_is_noticed(tmp_path: Path) -> None:
    with EventFile(tmp_path / "events") as file:
        os.write(file.writer, b"one\n")
        file.take()
        os.ftruncate(file.writer, 0)
        with pytest.raises(ProtocolError, match="shorter"):
            file.take()


def test_a_flood_is_noticed_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventfile, "MAX_BACKLOG_BYTES", 1000)
    with EventFile(tmp_path / "events") as file:
        os.write(file.writer, b"x" * 2000)
        with pytest.raises(ProtocolError, match="faster"):
            file.take()


def test_stored_bytes_are_given_back_to_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "events"
    with EventFile(path) as file:
        line = b"x" * 65_535 + b"\n"
        for _ in range(512):
            os.write(file.writer, line)
        while file.take():
            pass
        before = path.stat().st_blocks
        file.forget(file.offset)
        assert path.stat().st_blocks < before / 10
        assert path.stat().st_size == 512 * 65_536
        os.write(file.writer, b"more\n")
        assert file.take() == [b"more"]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        protocol.parse(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(
    type_=st.sampled_from(["metrics", "log", "block_done", "progress", "run_done", "cache_store", "run_started"]),
    fields=st.dictionaries(
        st.sampled_from(["block", "name", "values", "count", "outputs", "metrics", "t0", "status", "plan", "blocks"]),
        JSON,
    ),
)
def test_no_object_breaks_the_reader(type_: str, fields: dict[str, object]) -> None:
    import json

    try:
        message = protocol.parse(json.dumps({"type": type_, **fields}).encode())
    except ProtocolError:
        return
    if not isinstance(message, protocol.CacheLookup | protocol.CacheStore):
        json.loads(protocol.to_text(message), parse_constant=pytest.fail)
