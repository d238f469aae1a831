"""The states of a run: whatever happens in whatever order, only legal steps are taken and the log has no gap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.webapp.conftest import People
from tests.webapp.runs_support import check_projection, events_of, make_run, types_of
from webapp.queue import workers
from webapp.runs import transitions
from webapp.runs.log import Fenced, append, entry
from webapp.runs.models import ENDED, Attempt, Run, Status
from webapp.supervisor import protocol
from webapp.supervisor.devices import LocalDevice
from webapp.supervisor.recorder import Recorder

pytestmark = pytest.mark.django_db
DEVICES = [LocalDevice("cuda", index, "GPU", 1000) for index in range(2)]
EVENT = {"type": "checkpoint", "block": "train", "step": 1}


def a_worker(name: str = "w") -> Any:
    return workers.register(name, ["gpu"], DEVICES, 1000)


def end_lease(run: Run) -> None:
    Run.objects.filter(pk=run.pk, status=Status.RUNNING).update(lease_until=timezone.now() - timedelta(days=1))


def test_only_one_worker_gets_a_run(people: People) -> None:
    run = make_run(people.project)
    first, second = a_worker("a"), a_worker("b")
    assert transitions.claim(run.id, first, first.devices.first()) == 1
    assert transitions.claim(run.id, second, second.devices.first()) is None


def test_two_runs_never_share_a_device_unless_both_ask(people: People) -> None:
    worker = a_worker()
    device = worker.devices.first()
    alone, other = make_run(people.project), make_run(people.project)
    assert transitions.claim(alone.id, worker, device)
    assert transitions.claim(other.id, worker, device) is None
    assert Run.objects.get(pk=other.pk).status == Status.QUEUED
    shared = [make_run(people.project, shares_device=True) for _ in range(2)]
    assert all(transitions.claim(run.id, worker, worker.devices.last()) for run in shared)


def test_a_late_write_of_a_lost_attempt_is_refused(people: People) -> None:
    run = make_run(people.project)
    worker = a_worker()
    transitions.claim(run.id, worker, worker.devices.first())
    late = Recorder(run.id, 1)
    late.add(protocol.Checkpoint(type="checkpoint", block="train", step=1))
    end_lease(run)
    assert transitions.lose(run.id, 1, "no sign of life", expired=True)
    for _ in range(2):
        with pytest.raises(Fenced):
            late.store(0)
        transitions.claim(run.id, worker, worker.devices.first())
    assert {row["type"] for row in events_of(run)} == {"attempt_started", "attempt_lost"}


def test_a_lease_that_is_kept_is_not_ended(people: People) -> None:
    run = make_run(people.project)
    worker = a_worker()
    transitions.claim(run.id, worker, worker.devices.first())
    assert transitions.renew(worker, [(run.id, 1)]) == {run.id}
    assert not transitions.lose(run.id, 1, "no sign of life", expired=True)
    end_lease(run)
    assert transitions.lose(run.id, 1, "no sign of life", expired=True)
    assert transitions.renew(worker, [(run.id, 1)]) == set()


def test_the_same_end_twice_ends_it_once(people: People) -> None:
    run = make_run(people.project)
    worker = a_worker()
    transitions.claim(run.id, worker, worker.devices.first())
    assert [transitions.lose(run.id, 1, "x") for _ in range(3)] == [True, False, False]
    assert Run.objects.get(pk=run.pk).lost == 1


def test_a_run_that_is_lost_after_somebody_cancelled_it_is_cancelled(people: People) -> None:
    run = make_run(people.project)
    worker = a_worker()
    transitions.claim(run.id, worker, worker.devices.first())
    assert transitions.cancel(run.id) == Status.RUNNING
    transitions.lose(run.id, 1, "killed")
    assert Run.objects.get(pk=run.pk).status == Status.CANCELLED
    assert types_of(run)[-1] == "run_done"


@pytest.mark.parametrize(
    "impossible",
    [
        {"status": "unknown"},
        {"status": "succeeded"},
        {"status": "running"},
        {"lease_until": timezone.now()},
        {"finished": timezone.now()},
        {"error": {"kind": "user"}},
    ],
)
def test_the_database_refuses_impossible_states(people: People, impossible: dict[str, Any]) -> None:
    run = make_run(people.project)
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(**impossible)


class RunLife(RuleBasedStateMachine):
    """People, workers, dead workers and late workers act on one run in any order."""

    project: Any

    def __init__(self) -> None:
        super().__init__()
        self.workers = [a_worker("a"), a_worker("b")]
        self.run = make_run(self.project)
        self.history = [Status.QUEUED]
        self.known_epochs: set[int] = set()
        self.acknowledged = 0

    def now(self) -> Run:
        return Run.objects.get(pk=self.run.pk)

    def note(self) -> None:
        status = self.now().status
        if status != self.history[-1]:
            self.history.append(Status(status))

    @rule(which=st.booleans())
    def claim(self, which: bool) -> None:
        worker = self.workers[int(which)]
        epoch = transitions.claim(self.run.id, worker, worker.devices.first())
        if epoch is not None:
            assert self.history[-1] == Status.QUEUED
            assert epoch not in self.known_epochs
            self.known_epochs.add(epoch)
        self.note()

    @rule(age=st.booleans())
    def write(self, age: bool) -> None:
        run = self.now()
        epoch = run.epoch - int(age)
        may = not age and run.status == Status.RUNNING
        try:
            with transaction.atomic():
                append(self.run.id, epoch, [entry(EVENT)])
        except Fenced:
            assert not may
        else:
            assert may

    @rule(age=st.booleans())
    def finish(self, age: bool) -> None:
        run = self.now()
        try:
            recorder = Recorder(self.run.id, run.epoch - int(age))
            recorder.add(protocol.RunDone(type="run_done", status="succeeded", duration_s=1.0))
            recorder.store(0)
        except Fenced:
            assert age or run.status != Status.RUNNING
        self.note()

    @rule()
    def cancel(self) -> None:
        transitions.cancel(self.run.id)
        self.note()

    @rule(expired=st.booleans())
    def lose(self, expired: bool) -> None:
        run = self.now()
        if expired:
            end_lease(run)
        transitions.lose(self.run.id, run.epoch, "lost", expired=expired)
        self.note()

    @precondition(lambda self: self.now().epoch > 1)
    @rule()
    def lose_late(self) -> None:
        assert not transitions.lose(self.run.id, self.now().epoch - 1, "late")

    @rule()
    def give_back(self) -> None:
        transitions.give_back(self.run.id, self.now().epoch)
        self.note()

    @invariant()
    def steps_are_legal(self) -> None:
        legal = {
            Status.QUEUED: {Status.RUNNING, Status.CANCELLED},
            Status.RUNNING: {Status.QUEUED, *ENDED},
        }
        for before, after in zip(self.history, self.history[1:], strict=False):
            assert after in legal.get(before, set())

    @invariant()
    def the_log_has_no_gap_and_ends_once(self) -> None:
        types = types_of(self.run)
        assert types.count("run_done") == int(self.now().status in ENDED)
        assert self.now().status not in ENDED or types[-1] == "run_done"

    @invariant()
    def attempts_are_closed_when_the_run_does_not_run(self) -> None:
        open_ones = Attempt.objects.filter(run=self.run, outcome="running").count()
        assert open_ones == int(self.now().status == Status.RUNNING)

    def teardown(self) -> None:
        assert self.now().lost <= transitions.MAX_LOST
        check_projection(self.run)


def test_any_order_of_events_is_survived(people: People) -> None:
    RunLife.project = people.project
    run_state_machine_as_test(
        RunLife,
        settings=settings(
            max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_cancelling_an_unknown_run_changes_nothing(people: People) -> None:
    with pytest.raises(Run.DoesNotExist):
        transitions.cancel(uuid4())
