"""What is stored of a child's words: once, in order, and the same after any interruption."""

from __future__ import annotations

import base64
import math
import random
import struct
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from tests.webapp.conftest import People
from tests.webapp.runs_support import check_projection, events_of, make_run
from webapp.queue import workers
from webapp.runs import transitions
from webapp.runs.models import Attempt, Run, RunValue, Series, Status
from webapp.runs.series import read_curve
from webapp.supervisor import protocol, pyramid
from webapp.supervisor import recorder as recorder_module
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.eventfile import ProtocolError
from webapp.supervisor.recorder import Recorder

pytestmark = pytest.mark.django_db


def points(first: int, values: list[float], name: str = "loss", steps: list[int] | None = None) -> protocol.Metrics:
    return protocol.Metrics(
        type="metrics",
        block="train",
        name=name,
        first_step=steps[0] if steps else first,
        stride=0 if steps else 1,
        count=len(values),
        t0=float(first),
        t1=float(first + len(values) - 1),
        values=base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode(),
        steps=base64.b64encode(struct.pack(f"<{len(steps)}q", *steps)).decode() if steps else None,
    )


@pytest.fixture
def run(people: People) -> Run:
    made = make_run(people.project)
    worker = workers.register("w", ["cpu"], [LocalDevice("cpu", 0, "CPU", 1)], 1)
    transitions.claim(made.id, worker, worker.devices.get())
    return made


def numbers(curve: dict[str, Any], name: str) -> list[float]:
    raw = base64.b64decode(curve[name])
    return list(struct.unpack(f"<{len(raw) // 8}d", raw))


def test_a_batch_that_could_not_be_stored_is_stored_once_later(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    recorder.add(protocol.RunStarted(type="run_started", plan={"device": "cpu"}, blocks=["train"]))
    recorder.add(points(0, [1.0, 2.0]))
    with mock.patch.object(recorder_module, "_store_blocks", side_effect=OperationalError("away")):
        for _ in range(3):
            with pytest.raises(OperationalError):
                recorder.store(10)
    assert Run.objects.get(pk=run.pk).head == 1
    recorder.add(points(2, [3.0]))
    recorder.store(20)
    assert [event["type"] for event in events_of(run)] == ["attempt_started", "run_started", "metrics", "metrics"]
    assert numbers(read_curve(Series.objects.get(run=run), 100), "last") == [1.0, 2.0, 3.0]
    assert Attempt.objects.get(run=run).read == 20
    check_projection(run)


def test_points_that_come_again_after_a_resume_are_stored_once(run: Run) -> None:
    first = Recorder(run.id, 1)
    first.add(points(0, [0.0, 1.0, 2.0, 3.0]))
    first.store(0)
    second = Recorder(run.id, 1)
    second.expect_repeats()
    second.add(points(2, [2.0, 3.0]))
    second.add(points(0, [3.0, 4.0, 5.0], steps=[3, 4, 7]))
    second.add(points(8, [6.0]))
    second.store(0)
    curve = read_curve(Series.objects.get(run=run), 100)
    assert numbers(curve, "last") == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert numbers(curve, "steps") == [0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 8.0]


@pytest.mark.parametrize("total", [1, 15, 16, 17, 300, 5_000, 70_000])
def test_curves_are_the_same_however_points_arrived(run: Run, total: int) -> None:
    rng = random.Random(total)
    values = [rng.gauss(0, 1) for _ in range(total)]
    if total > 100:
        values[50] = math.nan
    at = 0
    recorder = Recorder(run.id, 1)
    while at < total:
        size = rng.choice([1, 7, 100, 1000, 4000])
        recorder.add(points(at, values[at : at + size]))
        at += size
        if rng.random() < 0.2:
            recorder.store(0)
            recorder = Recorder(run.id, 1)  # another process goes on
    if not recorder.is_empty:
        recorder.store(0)
    series = Series.objects.get(run=run)
    assert series.count == total
    for wanted in (1, 3, 50, 1000):
        check_curve(read_curve(series, wanted), values, wanted)
    raw = numbers(read_curve(series, total), "last")
    assert all(a == b or (a != a and b != b) for a, b in zip(raw, values, strict=True))


def check_curve(curve: dict[str, Any], values: list[float], wanted: int) -> None:
    ends = [int(step) for step in numbers(curve, "steps")]
    assert curve["total"] == len(values)
    assert curve["shown"] == len(ends) <= max(wanted, 1)
    assert len(ends) >= min(wanted, len(values)) / 2
    assert ends[-1] == len(values) - 1
    start = 0
    for end, low, high, last in zip(ends, *(numbers(curve, n) for n in ("min", "max", "last")), strict=True):
        bucket = [value for value in values[start : end + 1] if value == value]
        if bucket:
            assert (low, high) == (min(bucket), max(bucket))
        assert last == values[end] or last != last
        start = end + 1


def test_a_part_of_a_curve_is_read_at_full_resolution(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    for at in range(0, 100_000, 5_000):
        recorder.add(points(at, [float(at + i) for i in range(5_000)]))
    recorder.store(0)
    curve = read_curve(Series.objects.get(run=run), 500, 40_000, 40_299)
    steps = numbers(curve, "steps")
    assert steps[0] <= 40_000
    assert steps[-1] >= 40_299
    assert len(steps) <= 500
    assert curve["total"] < 1_000


def test_numbers_that_json_lacks_become_null(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    line = b'{"type":"block_done","block":"train","duration_s":1,"outputs":{},"metrics":{"a":NaN,"b":Infinity,"c":1}}'
    message = protocol.parse(line)
    assert not isinstance(message, protocol.CacheLookup | protocol.CacheStore)
    recorder.add(message)
    recorder.add(points(0, [math.nan]))
    recorder.store(0)
    done = events_of(run)[1]
    assert done["metrics"] == {"a": None, "b": None, "c": 1.0}
    assert run.blocks.get().data["metrics"] == {"a": None, "b": None, "c": 1.0, "loss": None}


def test_odd_characters_are_stored(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    for text in ("a\\u0000b", "\\ud800", "中文 🙂"):
        line = (
            f'{{"type":"log","block":null,"level":"info","message":"{text}","template":"{text}","values":{{}},"t":1}}'
        )
        message = protocol.parse(line.encode())
        assert isinstance(message, protocol.Log)
        recorder.add(message)
    recorder.store(0)
    assert [event["message"] for event in events_of(run)[1:]] == ["a\ufffdb", "?", "中文 🙂"]


def test_the_last_event_ends_the_run_and_fills_its_line_in_the_table(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    recorder.add(points(0, [2.0, 0.5]))
    recorder.add(protocol.RunDone(type="run_done", status="succeeded", duration_s=1.0))
    recorder.store(0)
    now = Run.objects.get(pk=run.pk)
    assert (now.status, now.lease_until) == (Status.SUCCEEDED, None)
    assert RunValue.objects.get(run=run, address="train.loss").number == 0.5


def test_levels_are_chosen_by_the_points_that_are_asked_for() -> None:
    assert [pyramid.level_for(n, 1_000) for n in (10, 15_999, 16_000, 300_000, 10**9)] == [0, 0, 1, 2, 4]


def test_what_the_worker_measures_is_stored_as_curves_but_as_no_block(run: Run) -> None:
    first = Recorder(run.id, 1)
    first.add_system({"cpu_percent": [(1e9, 50.0), (1e9 + 1, 70.0)], "memory_mib": [(1e9, 9.0)]})
    first.store(0)
    second = Recorder(run.id, 1)
    second.expect_repeats()
    second.add_system({"cpu_percent": [(1e9 + 9, 60.0)]})
    second.store(0)
    curve = read_curve(Series.objects.get(run=run, name="@system.cpu_percent"), 100)
    assert numbers(curve, "last") == [50.0, 70.0, 60.0]
    assert numbers(curve, "t") == [1e9, 1e9 + 1, 1e9 + 9]
    assert set(run.blocks.values_list("block", flat=True)) == {"train"}
    assert not RunValue.objects.filter(run=run, address__startswith="@").exists()
    check_projection(run)


def test_a_block_keeps_the_precision_that_it_decided_for(run: Run) -> None:
    recorder = Recorder(run.id, 1)
    for kind, values in (("precision", {"to": "bf16"}), ("precision", {"from": "bf16", "to": "fp32"}), ("batch", {})):
        words = {"message": "m", "template": "m", "values": values, "evidence": {}, "t": 1.0}
        recorder.add(protocol.Decision(type="decision", block="train", kind=kind, step=5, **words))
    recorder.store(0)
    assert run.blocks.get().data["rung"] == "fp32"
    check_projection(run)


def test_a_child_cannot_speak_for_the_worker() -> None:
    line = points(0, [1.0]).model_dump_json().replace('"train"', '"@system"').encode()
    with pytest.raises(ProtocolError):
        protocol.parse(line)
