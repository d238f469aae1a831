"""A worker's heart: which runs it takes, and what it does when something dies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.webapp.conftest import People
from tests.webapp.runs_support import events_of, make_run, types_of
from tests.webapp.supervisor.programs import GOOD, SLEEP, program
from webapp import bridge
from webapp.queue import workers
from webapp.queue.models import Duty, Worker
from webapp.runs import transitions
from webapp.runs.models import Attempt, Run, RunSpec, Status
from webapp.supervisor import attempt, dispatcher
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.dispatcher import Dispatcher

pytestmark = pytest.mark.django_db(transaction=True)
CPUS = [LocalDevice("cpu", index, "CPU", 1000) for index in range(2)]
GPUS = [LocalDevice("cuda", index, "GPU", 1000, f"GPU-{index}") for index in range(2)]


def eventually(condition: Callable[[], Any], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def status(run: Run) -> str:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Dispatcher]]:
    monkeypatch.setattr(bridge, "catalog", lambda: {"blocks": {}, "kinds": {}})
    started: list[Dispatcher] = []

    def begin(
        argv: tuple[str, ...], devices: list[LocalDevice], queues: tuple[str, ...] = ("cpu", "gpu")
    ) -> Dispatcher:
        monkeypatch.setattr(attempt, "PROGRAM", argv)
        made = Dispatcher(f"worker-{len(started)}", queues, devices)
        started.append(made)
        made.start()
        return made

    yield begin
    for made in started:
        for runner in made.attempts():
            runner.fenced.set()
        made.stop()


def test_runs_are_carried_out_in_the_order_they_came(people: People, start: Callable[..., Dispatcher]) -> None:
    runs = [make_run(people.project) for _ in range(4)]
    start(GOOD, CPUS[:1])
    eventually(lambda: all(status(run) == Status.SUCCEEDED for run in runs))
    starts = [Run.objects.get(pk=run.pk).started for run in runs]
    assert starts == sorted(starts)


def test_no_more_runs_than_places(people: People, start: Callable[..., Dispatcher]) -> None:
    runs = [make_run(people.project) for _ in range(3)]
    start(SLEEP, CPUS)
    eventually(lambda: [status(run) for run in runs].count("running") == 2)
    time.sleep(2.5)
    assert [status(run) for run in runs] == ["running", "running", "queued"]


def test_runs_go_to_the_devices_of_their_queue_and_never_share_a_gpu(
    people: People, start: Callable[..., Dispatcher]
) -> None:
    gpu = [make_run(people.project, queue="gpu") for _ in range(3)]
    cpu = make_run(people.project)
    start(SLEEP, [*GPUS, *CPUS[:1]])
    eventually(lambda: status(cpu) == "running" and [status(run) for run in gpu].count("running") == 2)
    devices = [str(Run.objects.get(pk=run.pk).device) for run in (*gpu[:2], cpu)]
    assert sorted(devices) == ["cpu:0", "cuda:0", "cuda:1"]


def test_runs_that_ask_to_share_a_gpu_do(people: People, start: Callable[..., Dispatcher]) -> None:
    shared = [make_run(people.project, queue="gpu", shares_device=True) for _ in range(2)]
    alone = make_run(people.project, queue="gpu")
    start(SLEEP, GPUS[:1])
    eventually(lambda: all(status(run) == "running" for run in shared))
    time.sleep(1.5)
    assert status(alone) == "queued"


def test_a_run_sees_only_its_own_gpu(people: People, start: Callable[..., Dispatcher]) -> None:
    run = make_run(people.project, queue="gpu")
    says = program(
        "begin()\nsay('log', block=None, level='info', message=os.environ['CUDA_VISIBLE_DEVICES'], template='')\nend()"
    )
    start(says, GPUS[1:])
    eventually(lambda: status(run) == Status.SUCCEEDED)
    assert [e["message"] for e in events_of(run) if e["type"] == "log"] == ["GPU-1"]


def test_a_cancelled_run_ends_within_five_seconds_without_any_bell(
    people: People, start: Callable[..., Dispatcher]
) -> None:
    run = make_run(people.project)
    start(SLEEP, CPUS[:1])
    eventually(lambda: "block_started" in types_of(run))
    transitions.cancel(run.id)
    began = time.monotonic()
    eventually(lambda: status(run) == Status.CANCELLED, 6)
    assert time.monotonic() - began < 5


def test_a_run_that_kills_its_process_blocks_nobody(
    people: People, start: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "RETRY_S", 0.1)
    poison, healthy = make_run(people.project), make_run(people.project)
    RunSpec.objects.filter(run=poison).update(rerun_from="poison")
    kills = "begin()\nif json.load(open('job.json'))['rerun_from'] == 'poison':\n    os._exit(1)\nend()"
    start(program(kills), CPUS[:1])
    eventually(lambda: status(poison) == Status.FAILED and status(healthy) == Status.SUCCEEDED)
    assert Attempt.objects.filter(run=poison).count() == 3


def test_a_stopping_worker_gives_its_runs_back(people: People, start: Callable[..., Dispatcher]) -> None:
    run = make_run(people.project)
    saves = program("import signal\nsignal.signal(15, lambda *_: os._exit(75))\nbegin()\ntime.sleep(600)")
    first = start(saves, CPUS[:1])
    eventually(lambda: "block_started" in types_of(run))
    began = time.monotonic()
    first.stop()
    assert time.monotonic() - began < 8
    assert status(run) == Status.QUEUED
    assert Worker.objects.get(pk=first.worker.pk).stopped
    start(GOOD, CPUS[:1])
    eventually(lambda: status(run) == Status.SUCCEEDED)
    assert Run.objects.get(pk=run.pk).lost == 0


def test_the_run_of_a_worker_that_fell_silent_moves_on(
    people: People, start: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(people.project)
    silent = workers.register("silent", ["cpu"], CPUS[:1], 1)
    transitions.claim(run.id, silent, silent.devices.get())
    Worker.objects.filter(pk=silent.pk).update(host="another machine")
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(transitions, "LEASE_S", 1.0)
    monkeypatch.setattr(dispatcher, "HEARTBEAT_S", 0.3)
    start(GOOD, CPUS[:1])
    eventually(lambda: status(run) == Status.SUCCEEDED)
    lost = next(event for event in events_of(run) if event["type"] == "attempt_lost")
    assert lost["reason"] == "the worker silent gave no sign of life"


def test_the_run_of_a_killed_worker_of_this_machine_moves_on_at_once(
    people: People, start: Callable[..., Dispatcher]
) -> None:
    run = make_run(people.project)
    killed = workers.register("killed", ["cpu"], CPUS[:1], 1)
    transitions.claim(run.id, killed, killed.devices.get())
    Worker.objects.filter(pk=killed.pk).update(pid=2**22 + 1)
    began = time.monotonic()
    start(GOOD, CPUS[:1])
    eventually(lambda: status(run) == Status.SUCCEEDED)
    assert time.monotonic() - began < 10


def test_leases_that_ran_out_while_the_database_was_away_are_not_ended_at_once() -> None:
    from webapp.queue.reconciler import Reconciler

    reconciler = Reconciler()
    with mock.patch.object(reconciler, "_ended_leases") as ended:
        reconciler._last -= 60
        reconciler.look()
        reconciler.look()
        assert not ended.called
        reconciler._since -= transitions.LEASE_S + 1
        reconciler.look()
        assert ended.called


def test_one_worker_of_the_cluster_reconciles(start: Callable[..., Dispatcher]) -> None:
    from webapp.queue import duty

    first, second = (workers.register(name, [], [], 1) for name in "ab")
    assert duty.take("x", first.id)
    assert duty.take("x", first.id)
    assert not duty.take("x", second.id)
    Duty.objects.filter(name="x").update(until=timezone.now() - timedelta(seconds=1))
    assert duty.take("x", second.id)
    duty.lay_down("x", second.id)
    assert duty.take("x", first.id)


def test_a_run_survives_a_database_that_is_away_for_a_while(
    people: People, start: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    from webapp.supervisor.recorder import Recorder

    monkeypatch.setattr(attempt, "RETRY_S", 0.05)
    store, away = Recorder.store, threading.Event()

    def fails(self: Recorder, *args: Any) -> None:
        if away.is_set():
            raise OperationalError("away")
        store(self, *args)

    monkeypatch.setattr(Recorder, "store", fails)
    run = make_run(people.project)
    counts = program("begin()\nfor step in range(40):\n    points(step, [1.0])\n    time.sleep(0.05)\nend()")
    start(counts, CPUS[:1])
    eventually(lambda: "metrics" in types_of(run))
    away.set()
    time.sleep(1)
    away.clear()
    eventually(lambda: status(run) == Status.SUCCEEDED)
    assert run.series.get().count == 40
