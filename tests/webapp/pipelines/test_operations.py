"""Saving by operations: in order, once, never over somebody else's work."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.webapp.support import DIGITS, Caller
from webapp.pipelines import changes
from webapp.pipelines.changes import MAX_MISSED
from webapp.pipelines.models import Pipeline, PipelineOperation


@pytest.fixture
def pipeline(people: Any) -> Pipeline:
    return Pipeline.objects.create(project=people.project, name="Digits", document=DIGITS, updated=timezone.now())


def send(user: Any, pipeline: Pipeline, base: int, op_id: str, *ops: dict[str, Any]) -> tuple[int, Any]:
    body = {"base_version": base, "op_id": op_id, "ops": list(ops)}
    return Caller(user)("POST", f"/pipelines/{pipeline.pk.hex}/operations", body)


def seed(value: int) -> dict[str, Any]:
    return {"op": "set_seed", "seed": value}


@pytest.mark.django_db
def test_an_operation_makes_the_next_version(people: Any, pipeline: Pipeline) -> None:
    status, answer = send(people.editor, pipeline, 1, "a", seed(5), {"op": "set_name", "name": "Better"})

    assert (status, answer["version"]) == (200, 2)
    pipeline.refresh_from_db()
    assert (pipeline.document["seed"], pipeline.name, pipeline.version) == (5, "Better", 2)
    log = PipelineOperation.objects.get()
    assert (log.version, log.op_id, log.actor, len(log.ops)) == (2, "a", people.editor, 2)


@pytest.mark.django_db
def test_the_answer_carries_the_problems(people: Any, pipeline: Pipeline) -> None:
    wrong = {"op": "set_param", "id": "split", "name": "test", "value": 7}

    problems = send(people.editor, pipeline, 1, "a", wrong)[1]["problems"]

    assert [(p["block"], p["field"], p["severity"]) for p in problems if p["field"] == "test"] == [
        ("split", "test", "error")
    ]


@pytest.mark.django_db
def test_a_stale_base_is_told_what_it_missed(people: Any, pipeline: Pipeline) -> None:
    send(people.editor, pipeline, 1, "a", seed(5))
    send(people.owner, pipeline, 2, "b", seed(6))

    status, answer = send(people.editor, pipeline, 1, "c", seed(7))

    assert (status, answer["version"]) == (409, 3)
    assert [(m["version"], m["op_id"], m["actor"], m["ops"]) for m in answer["missed"]] == [
        (2, "a", people.editor.pk.hex, [seed(5)]),
        (3, "b", people.owner.pk.hex, [seed(6)]),
    ]
    assert answer["error"]["template"] == "The pipeline was changed in the meantime"
    pipeline.refresh_from_db()
    assert pipeline.document["seed"] == 6


@pytest.mark.django_db
def test_the_same_edit_sent_twice_happens_once(people: Any, pipeline: Pipeline) -> None:
    first = send(people.editor, pipeline, 1, "a", seed(5))
    again = send(people.editor, pipeline, 1, "a", seed(5))

    assert first == again
    assert PipelineOperation.objects.count() == 1


@pytest.mark.django_db
def test_a_repeated_edit_is_not_told_a_version_it_has_not_seen(people: Any, pipeline: Pipeline) -> None:
    send(people.editor, pipeline, 1, "a", seed(5))
    send(people.owner, pipeline, 2, "b", seed(6))

    assert send(people.editor, pipeline, 1, "a", seed(5))[1]["version"] == 2


@pytest.mark.django_db
def test_who_is_too_far_behind_or_ahead_gets_the_whole_document(people: Any, pipeline: Pipeline) -> None:
    Pipeline.objects.filter(pk=pipeline.pk).update(version=MAX_MISSED + 2)

    for base in (1, MAX_MISSED + 9):
        status, answer = send(people.editor, pipeline, base, f"a{base}", seed(5))
        assert status == 409
        assert [m["ops"][0]["op"] for m in answer["missed"]] == ["replace"]
        assert answer["missed"][0]["version"] == answer["version"] == MAX_MISSED + 2


@pytest.mark.django_db
def test_an_operation_that_does_not_apply_changes_nothing(people: Any, pipeline: Pipeline) -> None:
    status, answer = send(people.editor, pipeline, 1, "a", seed(5), {"op": "remove_block", "id": "nothing"})

    assert (status, answer["error"]["message"]) == (400, "There is no block nothing")
    pipeline.refresh_from_db()
    assert (pipeline.version, pipeline.document["seed"]) == (1, 0)
    assert not PipelineOperation.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "ops",
    [
        [],
        [{"op": "replace", "document": DIGITS}],
        [{"op": "exec"}],
        [{}],
        [{"op": ["set_seed"]}],
        [{"op": "connect", "from": "data.dataset", "to": "data.dataset"}],
        [{"op": "add_block", "id": "../x", "type": "data.digits"}],
        [{"op": "add_block", "id": "x", "type": "os.system"}],
    ],
)
def test_what_is_no_operation_is_refused(people: Any, pipeline: Pipeline, ops: list[Any]) -> None:
    status, answer = send(people.editor, pipeline, 1, "a", *ops)

    assert status in {400, 422}
    assert answer["error"]["message"]


@pytest.mark.django_db
def test_a_log_can_be_read_on_from_a_version(people: Any, pipeline: Pipeline) -> None:
    for number in range(3):
        send(people.editor, pipeline, number + 1, f"op{number}", seed(number))

    answer = Caller(people.viewer)("GET", f"/pipelines/{pipeline.pk.hex}/operations?after=2")[1]

    assert [row["op_id"] for row in answer["items"]] == ["op1", "op2"]
    assert answer["version"] == 4


@pytest.mark.django_db(transaction=True)
def test_of_two_writers_at_once_one_wins_and_the_other_is_told(people: Any, pipeline: Pipeline) -> None:
    gate = threading.Barrier(2)
    answers: list[tuple[int, Any]] = []

    def write(name: str) -> None:
        gate.wait()
        answers.append(send(people.editor, pipeline, 1, name, seed(len(name))))
        connection.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in ("first", "second one")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(status for status, _ in answers) == [200, 409]
    refused = next(answer for status, answer in answers if status == 409)
    assert [m["version"] for m in refused["missed"]] == [2]
    assert PipelineOperation.objects.filter(pipeline=pipeline).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_edit_sent_twice_at_once_succeeds_twice_and_happens_once(people: Any, pipeline: Pipeline) -> None:
    gate = threading.Barrier(2)
    answers: list[tuple[int, Any]] = []

    def write() -> None:
        gate.wait()
        answers.append(send(people.editor, pipeline, 1, "same", seed(5)))
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [(status, answer["version"]) for status, answer in answers] == [(200, 2), (200, 2)]


def test_the_same_edit_stored_between_two_looks_is_no_conflict(
    people: Any, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(people.editor, pipeline, 1, "same", seed(5))
    look, looks = changes._made_before, []

    def late(*arguments: Any) -> Any:
        looks.append(arguments)
        return None if len(looks) == 1 else look(*arguments)

    monkeypatch.setattr(changes, "_made_before", late)
    status, answer = send(people.editor, pipeline, 1, "same", seed(5))

    assert (status, answer["version"]) == (200, 2)
    assert len(looks) == 2
