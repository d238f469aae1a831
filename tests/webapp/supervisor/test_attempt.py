"""Attempts from claim to end, with small programs in the engine's place."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.webapp.conftest import People
from tests.webapp.runs_support import check_projection, events_of, make_run, types_of
from tests.webapp.supervisor.programs import CRASH, GOOD, SLEEP, program
from webapp import bridge
from webapp.queue import workers
from webapp.runs import transitions
from webapp.runs.models import Attempt, Run, Series, Status
from webapp.supervisor import attempt as attempt_module
from webapp.supervisor import launch
from webapp.supervisor.attempt import AttemptRunner
from webapp.supervisor.devices import LocalDevice

pytestmark = pytest.mark.django_db(transaction=True)
DEVICE = LocalDevice("cpu", 0, "CPU", 1000)


class Bench:
    """Claims a run and carries attempts out on a thread, as a dispatcher does."""

    def __init__(self, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worker = workers.register("bench", ["cpu"], [DEVICE], 1000)
        self.device = self.worker.devices.get()
        self.run = make_run(project)
        self._monkeypatch = monkeypatch
        self.threads: list[tuple[AttemptRunner, threading.Thread]] = []

    def start(self, argv: tuple[str, ...]) -> tuple[AttemptRunner, threading.Thread]:
        """One attempt, under way."""
        self._monkeypatch.setattr(attempt_module, "PROGRAM", argv)
        Run.objects.filter(pk=self.run.pk, status=Status.QUEUED).update(available=transitions.now())
        epoch = transitions.claim(self.run.id, self.worker, self.device)
        assert epoch is not None
        runner = AttemptRunner(self.run.id, epoch, [DEVICE], 1)
        thread = threading.Thread(target=runner.run)
        thread.start()
        self.threads.append((runner, thread))
        return runner, thread

    def carry_out(self, argv: tuple[str, ...]) -> Run:
        """One attempt, to its end."""
        _, thread = self.start(argv)
        thread.join(30)
        assert not thread.is_alive()
        return self.now()

    def now(self) -> Run:
        """The run as it is stored."""
        return Run.objects.get(pk=self.run.pk)

    def wait_for(self, type_: str, count: int = 1) -> None:
        """Until so many events of a type are stored."""
        deadline = time.monotonic() + 20
        while types_of(self.run).count(type_) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture
def bench(people: People, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(bridge, "catalog", lambda: {"blocks": {}, "kinds": {}})
    found = Bench(people.project, monkeypatch)
    yield found
    for runner, thread in found.threads:
        runner.fenced.set()
        thread.join(20)


def test_a_run_goes_from_its_claim_to_its_last_event(bench: Bench) -> None:
    run = bench.carry_out(GOOD)
    assert run.status == Status.SUCCEEDED
    assert types_of(run) == [
        "attempt_started", "run_started", "block_started", "metrics", "progress", "block_done", "run_done",
    ]  # fmt: skip
    assert run.plan == {"device": "cpu"}
    assert run.summary.metrics == {"train.loss": 1.0, "train.accuracy": 0.5}
    assert run.lease_until is None
    check_projection(run)


def test_a_failed_run_keeps_its_error(bench: Bench) -> None:
    error = {"kind": "user", "message": "Bad", "template": "Bad", "values": {}}
    run = bench.carry_out(program(f"begin()\nend('failed', error={error!r})"))
    assert (run.status, run.error) == (Status.FAILED, error)


def test_a_process_that_dies_is_tried_again_and_given_up_after_three_times(bench: Bench) -> None:
    assert bench.carry_out(CRASH).status == Status.QUEUED
    assert bench.carry_out(CRASH).status == Status.QUEUED
    run = bench.carry_out(CRASH)
    assert run.status == Status.FAILED
    assert run.error["template"] == "The run's process died {times} times; the last time: {reason}"
    assert run.error["values"]["times"] == 3
    assert "exit code 3" in run.error["message"]
    assert types_of(run).count("attempt_lost") == 3
    check_projection(run)


def test_the_reason_names_the_signal_and_the_last_words(bench: Bench) -> None:
    bench.carry_out(program("print('last words', flush=True)\nos.kill(os.getpid(), 11)"))
    lost = [event for event in events_of(bench.run) if event["type"] == "attempt_lost"]
    assert lost[0]["reason"] == "the process ended with signal 11: last words"


def test_cancel_is_told_and_then_insisted_on_within_five_seconds(bench: Bench) -> None:
    runner, thread = bench.start(SLEEP)
    bench.wait_for("block_started")
    transitions.cancel(bench.run.id)
    began = time.monotonic()
    runner.cancelled.set()
    thread.join(10)
    assert time.monotonic() - began < 5
    assert bench.now().status == Status.CANCELLED
    assert types_of(bench.run)[-2:] == ["run_cancel_requested", "run_done"]


def test_a_child_that_hears_cancel_ends_by_itself(bench: Bench) -> None:
    hears = program("begin()\nassert answer() == {'type': 'cancel'}\nend('cancelled')")
    runner, thread = bench.start(hears)
    bench.wait_for("block_started")
    transitions.cancel(bench.run.id)
    runner.cancelled.set()
    thread.join(5)
    assert bench.now().status == Status.CANCELLED
    assert events_of(bench.run)[-1]["duration_s"] == 1.0


def test_a_worker_that_stops_gives_the_run_back_and_it_counts_as_no_failure(bench: Bench) -> None:
    saves = program(
        "import signal\nsignal.signal(15, lambda *_: os._exit(75))\nbegin()\ntime.sleep(600)",
    )
    runner, thread = bench.start(saves)
    bench.wait_for("block_started")
    runner.stopping.set()
    thread.join(20)
    run = bench.now()
    assert (run.status, run.lost) == (Status.QUEUED, 0)
    assert Attempt.objects.get(run=run).outcome == "returned"
    assert bench.carry_out(GOOD).status == Status.SUCCEEDED


@pytest.mark.parametrize(
    "line",
    [
        "b'no json'",
        """b'{"type": "unknown"}'""",
        """b'{"type": "block_started", "block": "../../x", "reason": {}}'""",
        "b'x' * (2**20 + 10)",
        """json.dumps({"type": "metrics", "block": "t", "name": "n", "first_step": 0, "stride": 1, "count": 9,
            "t0": 0, "t1": 1, "values": "AA=="}).encode()""",
        """json.dumps({"type": "block_done", "block": "train", "duration_s": 1, "metrics": {},
            "outputs": {"o": {"digest": "sha256:" + "0" * 64, "kind": "model"}}}).encode()""",
    ],
)
def test_a_process_that_breaks_the_rules_is_stopped(bench: Bench, line: str) -> None:
    run = bench.carry_out(program(f"os.write(fd, {line} + b'\\n')\ntime.sleep(600)"))
    assert run.status == Status.FAILED
    assert run.error["template"] == "The run's process broke the rules and was stopped: {problem}"


def test_a_run_that_takes_too_much_memory_is_stopped_and_told_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "memory_limit_mib", lambda: 200)
    greedy = "begin()\nx = bytearray(500 * 2**20)\nx[::4096] = bytes(len(x[::4096]))\ntime.sleep(600)"
    run = bench.carry_out(program(greedy))
    assert run.status == Status.FAILED
    assert run.error["message"] == "The run used more than 200 MiB of memory and was stopped"
    assert run.error["hint"]


def test_an_attempt_that_lost_its_run_writes_nothing_more(bench: Bench) -> None:
    late = program("begin()\nwhile True:\n    points(0, [1.0])\n    time.sleep(0.05)")
    _, thread = bench.start(late)
    bench.wait_for("metrics")
    assert transitions.lose(bench.run.id, 1, "the lease ended")
    head = bench.now().head
    thread.join(10)
    assert not thread.is_alive()
    assert bench.now().head == head


def test_what_a_killed_worker_had_not_stored_is_stored_by_the_next_attempt(bench: Bench) -> None:
    """Attempt 1 dies between its child's last words and the database; its file holds them."""
    runner, thread = bench.start(program("begin()\npoints(0, [3.0, 2.0])\ntime.sleep(600)"))
    bench.wait_for("metrics")
    store = runner._store
    runner._store = lambda: None
    with open(runner.folder.events(1), "ab") as stream:
        stream.write(b'{"type":"checkpoint","block":"train","step":2}\n')
        stream.write(metrics(2, [1.0, 0.5]) + b"\n" + b'{"type":"check')
    time.sleep(0.3)
    runner.fenced.set()
    thread.join(10)
    runner._store = store
    transitions.lose(bench.run.id, 1, "killed")
    resumed = program("begin(resumed=True)\npoints(1, [2.0, 1.0, 0.5, 0.25])\nend()")
    run = bench.carry_out(resumed)
    assert run.status == Status.SUCCEEDED
    points = [(e["first_step"], e["count"]) for e in events_of(run) if e["type"] == "metrics"]
    assert points == [(0, 2), (2, 2), (4, 1)]
    assert Series.objects.get(run=run).count == 5
    assert types_of(run).count("checkpoint") == 1


def test_a_run_whose_end_was_not_stored_ends_without_another_process(bench: Bench) -> None:
    runner, thread = bench.start(SLEEP)
    bench.wait_for("block_started")
    runner.fenced.set()
    thread.join(10)
    with open(runner.folder.events(1), "ab") as stream:
        stream.write(b'{"type":"run_done","status":"succeeded","duration_s":1}\n')
    transitions.lose(bench.run.id, 1, "killed")
    assert bench.carry_out(CRASH).status == Status.SUCCEEDED


def test_the_folder_of_a_run_is_gone_after_its_end(bench: Bench) -> None:
    runner, thread = bench.start(GOOD)
    thread.join(20)
    assert not runner.folder.root.exists()


def test_events_are_stored_soon_and_in_batches(bench: Bench) -> None:
    burst = "begin()\nfor step in range(2000):\n    points(step, [1.0])\nend()"
    began = time.monotonic()
    run = bench.carry_out(program(burst))
    assert run.status == Status.SUCCEEDED
    assert Series.objects.get(run=run).count == 2000
    assert time.monotonic() - began < 15


def metrics(first: int, values: list[float]) -> bytes:
    import base64
    import json

    event = {
        "type": "metrics", "block": "train", "name": "loss", "first_step": first, "stride": 1, "count": len(values),
        "t0": 1.0, "t1": 2.0, "values": base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode(),
    }  # fmt: skip
    return json.dumps(event).encode()


PROBED = program("""
begin()
known = json.load(open(os.environ["DEEPSEEK_PROFILE"]))
for number in range(200):
    evidence = {"machine": "0" * 16, "key": f"mlp-{number:016x}", "choice": {"precision": "bf16"}, "timings": {}}
    fields = {"kind": "probe", "step": 0, "message": "", "template": "", "evidence": evidence}
    say("decision", block="train", **fields)
    say("decision", block="train", **{**fields, "evidence": {**evidence, "key": "../../poison"}})
say("block_done", block="train", duration_s=0.1, outputs={}, metrics={"known": len(known.get("machines", {}))})
end()
""")


def test_what_a_run_measured_is_there_for_the_next_run_of_its_workspace_only(
    bench: Bench, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.carry_out(PROBED).status == Status.SUCCEEDED
    workspace = people.project.workspace_id.hex
    machines = json.loads(bridge.profile_of(workspace))["machines"]
    assert list(machines) == ["0" * 16]
    assert 0 < len(machines["0" * 16]["choices"]) <= attempt_module.MAX_PROBES
    assert json.loads(bridge.profile_of("f" * 32)) == json.loads(bridge.profile_of()) == {}
    assert [e["metrics"]["known"] for e in events_of(bench.run) if e["type"] == "block_done"] == [0]

    bench.run = make_run(people.project)
    assert bench.carry_out(PROBED).status == Status.SUCCEEDED
    assert [e["metrics"]["known"] for e in events_of(bench.run) if e["type"] == "block_done"] == [1]


def test_a_cached_block_names_the_run_that_made_its_result(bench: Bench, people: People) -> None:
    components = {"type": "train.test"}
    key = bridge.digest_of(components)
    ask = f"""
begin()
made = {{"block": "train", "key": {key!r}, "components": {components!r}}}
say("cache_lookup", id=1, **made)
hit = answer()["hit"]
if hit:
    say("block_cached", block="train", reason={{"code": "cached"}}, outputs={{}}, metrics=hit["metrics"])
else:
    say("cache_store", outputs={{}}, metrics={{"accuracy": 0.5}}, **made)
    say("block_done", block="train", duration_s=0.1, outputs={{}}, metrics={{"accuracy": 0.5}})
end()
"""
    first = bench.carry_out(program(ask))
    assert first.blocks.get().data["made_by"] is None
    bench.run = make_run(people.project)
    second = bench.carry_out(program(ask))

    made_by = {"run": first.id.hex, "project": people.project.id.hex, "number": first.number, "block": "train"}
    assert second.blocks.get().data["made_by"] == made_by
    assert [event["made_by"] for event in events_of(second) if event["type"] == "block_cached"] == [made_by]
    check_projection(second)

    bench.run = make_run(people.project)
    first.delete()
    assert bench.carry_out(program(ask)).blocks.get().data["made_by"] is None
