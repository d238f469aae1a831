"""Runs that need several devices or several machines: leased as a whole, or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.studio import digits
from tests.webapp.conftest import People
from tests.webapp.runs_support import events_of, make_run
from tests.webapp.supervisor.programs import GOOD, SLEEP, program
from tests.webapp.supervisor.test_dispatcher import CPUS, GPUS, eventually, status
from webapp import bridge
from webapp.queue import workers
from webapp.queue.models import Worker
from webapp.runs import seats, transitions
from webapp.runs.models import Run, RunEvent, RunSpec, Seat, Status
from webapp.supervisor import attempt, dispatcher, member
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.dispatcher import Dispatcher

pytestmark = pytest.mark.django_db(transaction=True)
SAYS_ENVIRONMENT = program(
    "begin()\n"
    "seen = {k: v for k, v in os.environ.items() if k.startswith(('CUDA', 'DEEPSEEK_NODES', 'GLOO'))}\n"
    "say('log', block=None, level='info', message=json.dumps(seen), template='')\n"
    "time.sleep(3)\nend()"
)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Dispatcher]]:
    monkeypatch.setattr(bridge, "catalog", lambda: {"blocks": {}, "kinds": {}})
    monkeypatch.setattr(member, "PROGRAM", ("-c", "import time; time.sleep(600)"))
    started: list[Dispatcher] = []

    def begin(argv: tuple[str, ...], devices: list[LocalDevice], address: str = "127.0.0.1") -> Dispatcher:
        monkeypatch.setattr(attempt, "PROGRAM", argv)
        monkeypatch.setattr(dispatcher, "node_address", lambda: address)
        made = Dispatcher(f"worker-{len(started)}", ("cpu", "gpu"), devices)
        started.append(made)
        made.start()
        return made

    yield begin
    for made in started:
        for runner in made.attempts():
            runner.fenced.set()
        made.stop()


def said(run: Run) -> dict[str, str]:
    (event,) = [event for event in events_of(run) if event["type"] == "log"]
    return dict(json.loads(event["message"]))


def test_a_run_holds_as_many_gpus_of_one_machine_as_it_needs(people: People, start: Callable[..., Dispatcher]) -> None:
    both = make_run(people.project, queue="gpu", devices=2)
    younger = make_run(people.project, queue="gpu")
    start(SAYS_ENVIRONMENT, GPUS)
    eventually(lambda: status(both) == "running")
    assert Seat.objects.filter(run=both, node=0).count() == 2
    assert status(younger) == "queued"
    eventually(lambda: status(both) == status(younger) == Status.SUCCEEDED)
    assert said(both)["CUDA_VISIBLE_DEVICES"] == "GPU-0,GPU-1"
    assert not Seat.objects.exists()


def test_younger_runs_do_not_pass_by_one_that_waits_for_several_devices(
    people: People, start: Callable[..., Dispatcher]
) -> None:
    first = make_run(people.project, queue="gpu")
    start(program("begin()\ntime.sleep(2)\nend()"), GPUS)
    eventually(lambda: status(first) == "running")
    both = make_run(people.project, queue="gpu", devices=2)
    younger = make_run(people.project, queue="gpu")
    eventually(lambda: status(younger) == Status.SUCCEEDED)
    assert Run.objects.get(pk=both.pk).started < Run.objects.get(pk=younger.pk).started


def test_a_run_that_no_machine_can_ever_hold_waits_alone(people: People, start: Callable[..., Dispatcher]) -> None:
    huge = make_run(people.project, queue="gpu", devices=3)
    small = make_run(people.project, queue="gpu")
    start(GOOD, GPUS)
    eventually(lambda: status(small) == Status.SUCCEEDED)
    assert status(huge) == "queued"


def test_a_run_on_two_machines_begins_when_two_workers_hold_seats(
    people: People, start: Callable[..., Dispatcher]
) -> None:
    run = make_run(people.project, nodes=2)
    first = start(SAYS_ENVIRONMENT, CPUS[:1])
    time.sleep(3)
    assert status(run) == "queued"
    assert not Seat.objects.exists()  # nothing is held for a run that cannot gather
    second = start(SAYS_ENVIRONMENT, CPUS[:1])
    eventually(lambda: status(run) == "running")
    leader = Run.objects.get(pk=run.pk).worker_id
    other = ({first.worker.pk, second.worker.pk} - {leader}).pop()
    assert dict(Seat.objects.values_list("node", "worker_id")) == {0: leader, 1: other}
    eventually(lambda: status(run) == Status.SUCCEEDED)
    eventually(lambda: not Seat.objects.exists())
    told = json.loads(said(run)["DEEPSEEK_NODES"])
    assert (told["count"], told["is_first"], told["address"]) == (2, True, "127.0.0.1")
    assert said(run)["GLOO_SOCKET_IFNAME"] == "lo"


def test_a_run_whose_machine_leaves_waits_for_another_one(
    people: People, start: Callable[..., Dispatcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "RETRY_S", 0.1)
    run = make_run(people.project, nodes=2)
    start(SLEEP, CPUS[:1])
    start(SLEEP, CPUS[:1])
    eventually(lambda: status(run) == "running" and Seat.objects.filter(node=1).exists())
    Seat.objects.filter(node=1).delete()  # as the reconciler does for a worker that gives no sign of life
    eventually(lambda: any(event["type"] == "attempt_lost" for event in events_of(run)))
    (lost,) = [event for event in events_of(run) if event["type"] == "attempt_lost"]
    assert lost["reason"] == "a machine left the run"
    eventually(lambda: Run.objects.get(pk=run.pk).epoch == 2 and status(run) == "running")
    transitions.cancel(run.id)
    eventually(lambda: status(run) == Status.CANCELLED and not Seat.objects.exists())


def test_workers_without_an_address_take_part_in_nothing(people: People, start: Callable[..., Dispatcher]) -> None:
    run = make_run(people.project, nodes=2)
    start(GOOD, CPUS[:1], address="")
    start(GOOD, CPUS[:1], address="")
    time.sleep(3)
    assert status(run) == "queued"
    assert not Seat.objects.exists()


def test_what_a_dead_worker_held_is_free(people: People) -> None:
    run = make_run(people.project, nodes=2)
    worker = workers.register("one", ["cpu"], CPUS[:1], 1000, "10.0.0.1")
    assert seats.offer(run.id, worker, list(worker.devices.all()))
    assert not seats.offer(run.id, worker, list(worker.devices.all()))
    Worker.objects.filter(pk=worker.pk).update(stopped=True)
    seats.forget_dead()
    assert not Seat.objects.exists()


@pytest.mark.slow
def test_two_workers_train_one_network_with_the_real_engine(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "node_address", lambda: "127.0.0.1")
    document = digits(epochs=3, nodes=2, checkpoint_steps=10)
    run = make_run(people.project, nodes=2)
    RunSpec.objects.filter(run=run).update(document=document)
    workers_here = [Dispatcher(f"worker-{number}", ("cpu",), CPUS[:1]) for number in range(2)]
    for worker in workers_here:
        worker.start()
    try:
        eventually(lambda: Run.objects.get(pk=run.pk).has_ended, 110)
        told = events_of(run)
        assert status(run) == Status.SUCCEEDED, [event for event in told if event["type"] != "metrics"]
        names = {event["name"] for event in told if event["type"] == "metrics" and event["block"] == "train"}
        assert {"loss", "rank_0_step_ms", "rank_1_step_ms"} <= names
        (done,) = [event for event in told if event["type"] == "block_done" and event["block"] == "evaluate"]
        assert done["metrics"]["accuracy"] > 0.8
    finally:
        for worker in workers_here:
            for runner in worker.attempts():
                runner.fenced.set()
            worker.stop()


@pytest.mark.slow
def test_ranks_live_inside_the_walls_of_their_run_and_end_with_it(people: People) -> None:
    document = digits(epochs=400, devices=2, checkpoint_steps=10)
    run = make_run(people.project)
    RunSpec.objects.filter(run=run).update(document=document)
    worker = Dispatcher("worker-0", ("cpu",), CPUS[:1])
    worker.start()
    try:
        eventually(lambda: RunEvent.objects.filter(run=run, kind="checkpoint").exists(), 80)
        ranks = ranks_of(run)
        assert len(ranks) == 2
        ranks[1].kill()
        said = RunEvent.objects.filter(run=run, kind="decision", payload__contains="was ended by SIGKILL")
        eventually(said.exists, 30)
        assert Run.objects.get(pk=run.pk).epoch == 1  # the run itself was never lost
        eventually(lambda: len(ranks_of(run)) == 2, 60)
        transitions.cancel(run.id)
        eventually(lambda: status(run) == Status.CANCELLED and not ranks_of(run), 10)
    finally:
        for runner in worker.attempts():
            runner.fenced.set()
        worker.stop()


def ranks_of(run: Run) -> list[psutil.Process]:
    """The living processes of a run's ranks, as the machine sees them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "engine.distributed.rank" in words and run.id.hex in words[-1]:
            found.append(process)
    return found
