"""The endpoints of runs, asked as the browser asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.webapp.conftest import People
from tests.webapp.runs_support import make_run, types_of
from webapp.pipelines.models import Pipeline
from webapp.queue import workers
from webapp.runs import cache, queries, transitions
from webapp.runs.clock import now
from webapp.runs.log import append, entry
from webapp.runs.models import Run, Status
from webapp.supervisor.devices import LocalDevice
from webapp.workspaces.models import Membership

pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = {
    "format": "deepseek.pipeline/1",
    "name": "Digits",
    "seed": 7,
    "blocks": {"data": {"type": "data.digits", "params": {}}, "model": {"type": "model.mlp", "params": {}}},
    "wires": [],
    "layout": {"positions": {}, "notes": [], "frames": []},
}


class Browser:
    """A logged-in person."""

    def __init__(self, user: Any) -> None:
        self._client = Client()
        self._client.force_login(user)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        answer = self._client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers=headers,
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None


@pytest.fixture
def ask(people: People) -> Callable[[str], Browser]:
    return lambda name: Browser(getattr(people, name))


@pytest.fixture
def pipeline(people: People) -> Pipeline:
    return Pipeline.objects.create(project=people.project, name="Digits", document=DOCUMENT, updated=now())


@pytest.fixture
def editor(ask: Callable[[str], Browser]) -> Browser:
    return ask("editor")


def test_a_pipeline_is_put_into_the_queue_as_it_is_now(editor: Browser, pipeline: Pipeline) -> None:
    status, run = editor("POST", f"/pipelines/{pipeline.id.hex}/runs", {})
    assert status == 201, run
    assert (run["status"], run["number"], run["queue_position"], run["head_seq"]) == ("queued", 1, 1, 0)
    assert run["document"]["blocks"]["data"]["type"] == "data.digits"
    assert {name: block["state"] for name, block in run["blocks"].items()} == {"data": "waiting", "model": "waiting"}
    assert run["config"]["seed"] == 7
    assert "model.hidden" in run["config"], "defaults are part of the configuration"
    assert editor("POST", f"/pipelines/{pipeline.id.hex}/runs", {"name": "Second"})[1]["number"] == 2


def test_the_same_request_twice_makes_one_run(editor: Browser, people: People) -> None:
    path = f"/projects/{people.project.id.hex}/runs"
    answers = [editor("POST", path, {"document": DOCUMENT}, **{"Idempotency-Key": "k1"}) for _ in range(3)]
    assert len({answer[1]["id"] for answer in answers}) == 1
    assert Run.objects.count() == 1
    assert editor("POST", path, {"document": {**DOCUMENT, "seed": 8}}, **{"Idempotency-Key": "k1"})[0] == 422


def test_a_pipeline_with_problems_is_refused_and_names_them(editor: Browser, people: People) -> None:
    broken = {**DOCUMENT, "blocks": {"model": {"type": "model.mlp", "params": {"dropout": 9}}}}
    status, answer = editor("POST", f"/projects/{people.project.id.hex}/runs", {"document": broken})
    assert status == 422
    assert (answer["problems"][0]["block"], answer["problems"][0]["field"]) == ("model", "dropout")
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"document": {"format": "deepseek.pipeline/99"}},
        {"document": {**DOCUMENT, "blocks": {}}},
        {"document": DOCUMENT, "targets": ["nothing"]},
        {"document": DOCUMENT, "rerun_from": "nothing"},
        {"document": DOCUMENT, "status": "succeeded"},
        {},
    ],
)
def test_what_cannot_run_is_refused(editor: Browser, people: People, body: Any) -> None:
    status, answer = editor("POST", f"/projects/{people.project.id.hex}/runs", body)
    assert status in {400, 422}
    assert answer["error"]["message"]


def test_own_code_needs_its_own_permission(ask: Callable[[str], Browser], people: People) -> None:
    document = {**DOCUMENT, "blocks": {"code": {"type": "code.python", "params": {}}}}
    path = f"/projects/{people.project.id.hex}/runs"
    status, answer = ask("editor")("POST", path, {"document": document})
    if status == 422 and "problems" in answer:
        pytest.skip("the block needs an input")
    assert status == 403
    Membership.objects.filter(user=people.editor).update(can_run_code=True)
    assert ask("editor")("POST", path, {"document": document})[0] == 201


def test_a_file_of_another_workspace_cannot_be_named(editor: Browser, people: People) -> None:
    foreign = "sha256:" + "a" * 64
    document = {**DOCUMENT, "blocks": {"load": {"type": "model.load", "params": {"file": foreign}}}}
    status, answer = editor("POST", f"/projects/{people.project.id.hex}/runs", {"document": document})
    assert status == 422
    assert answer["error"]["field"] == "file"


def test_roles_decide_who_may_run_and_who_may_look(ask: Callable[[str], Browser], pipeline: Pipeline) -> None:
    path = f"/pipelines/{pipeline.id.hex}/runs"
    assert ask("viewer")("POST", path, {})[0] == 403
    assert ask("stranger")("POST", path, {})[0] == 404
    run = ask("owner")("POST", path, {})[1]["id"]
    for path in (f"/runs/{run}", f"/runs/{run}/events", f"/runs/{run}/log", f"/runs/{run}/series"):
        assert ask("viewer")("GET", path)[0] == 200
        assert ask("stranger")("GET", path)[0] == 404
    for method, path in (("POST", f"/runs/{run}/cancel"), ("PATCH", f"/runs/{run}"), ("DELETE", f"/runs/{run}")):
        assert ask("viewer")(method, path, {})[0] == 403
        assert ask("stranger")(method, path, {})[0] == 404


def test_a_waiting_run_is_cancelled_at_once_and_can_then_be_deleted(editor: Browser, people: People) -> None:
    run = make_run(people.project)
    assert editor("DELETE", f"/runs/{run.id.hex}")[0] == 409
    status, answer = editor("POST", f"/runs/{run.id.hex}/cancel", {})
    assert (status, answer["status"]) == (200, "cancelled")
    assert types_of(run) == ["run_cancel_requested", "run_done"]
    assert editor("DELETE", f"/runs/{run.id.hex}")[0] == 204
    assert editor("GET", f"/runs/{run.id.hex}")[0] == 404


def test_name_tags_and_notes_can_be_changed(editor: Browser, people: People) -> None:
    run = make_run(people.project)
    change = {"name": "Best", "tags": ["good", "v, 2", "good"], "notes": "why"}
    status, answer = editor("PATCH", f"/runs/{run.id.hex}", change)
    assert status == 200
    assert (answer["name"], answer["tags"], answer["notes"]) == ("Best", ["good", "v  2"], "why")
    assert editor("PATCH", f"/runs/{run.id.hex}", {"status": "succeeded"})[0] == 422


def test_events_are_read_in_order_and_by_type(editor: Browser, people: People) -> None:
    run = make_run(people.project)
    log = {"type": "log", "block": None, "level": "info", "message": "m", "template": "m", "values": {}, "t": 1.0}
    append(run.id, 0, [entry(log), entry({"type": "system", "cpu": 1.0}), entry(log)], running=False)
    answer = editor("GET", f"/runs/{run.id.hex}/events?after=1&limit=1")[1]
    assert ([event["seq"] for event in answer["items"]], answer["head"]) == ([2], 3)
    assert [e["seq"] for e in editor("GET", f"/runs/{run.id.hex}/events?types=system")[1]["items"]] == [2]
    lines = editor("GET", f"/runs/{run.id.hex}/log?after=1")[1]
    assert ([line["seq"] for line in lines["items"]], lines["total"]) == ([3], 2)


def test_the_plan_tells_what_is_cached_and_why_the_rest_runs(
    editor: Browser, pipeline: Pipeline, people: People
) -> None:
    path = f"/pipelines/{pipeline.id.hex}/plan"
    status, answer = editor("POST", path, {})
    assert status == 200
    assert {name: block["state"] for name, block in answer["blocks"].items()} == {
        "data": "will_run",
        "model": "will_run",
    }
    assert answer["blocks"]["data"]["reason"]["code"] == "first_run"
    place = cache.place_of(pipeline.id, pipeline.project_id)
    cache.note(place, "model", "old", {"type": "model.mlp", "params": {"dropout": 0.5}, "version": 0, "code": ""})
    assert editor("POST", path, {})[1]["blocks"]["model"]["reason"]["code"] == "code_changed"


def test_the_queue_shows_positions_devices_and_only_own_names(
    ask: Callable[[str], Browser], people: People, editor: Browser
) -> None:
    worker = workers.register("w1", ["cpu"], [LocalDevice("cpu", 0, "Ryzen", 16_000)], 16_000)
    runs = [make_run(people.project) for _ in range(3)]
    transitions.claim(runs[0].id, worker, worker.devices.get())
    queue = editor("GET", f"/workspaces/{people.workspace.id.hex}/queue")[1]
    assert [run["id"] for run in queue["running"]] == [runs[0].id.hex]
    assert [(run["id"], run["position"]) for run in queue["waiting"]] == [(runs[1].id.hex, 1), (runs[2].id.hex, 2)]
    device = queue["workers"][0]["devices"][0]
    assert (device["type"], device["name"], device["run"]) == ("cpu", "Ryzen", runs[0].id.hex)
    other = people.stranger.workspaces.get()
    foreign = ask("stranger")("GET", f"/workspaces/{other.id.hex}/queue")[1]
    assert (foreign["running"], foreign["waiting"]) == ([], [])
    assert foreign["workers"][0]["devices"][0] | {"run": None, "busy": True} == foreign["workers"][0]["devices"][0]


def test_the_table_filters_and_sorts_by_any_address(editor: Browser, people: People) -> None:
    from webapp.runs.models import RunSummary
    from webapp.runs.values import store_values

    for number in range(1, 6):
        run = make_run(people.project, tags=queries.join_tags(["odd"] if number % 2 else ["even"]))
        values = {"train.lr": number / 10, "train.optimizer": "adam" if number > 3 else "sgd", "train.ok": number > 2}
        RunSummary.objects.filter(run=run).update(config=values)
        store_values(run.id, run.project_id, values)

    def numbers(query: str) -> list[int]:
        status, answer = editor("GET", f"/projects/{people.project.id.hex}/runs?{query}")
        assert status == 200, answer
        assert answer["total"] >= len(answer["items"])
        return [run["number"] for run in answer["items"]]

    assert numbers("") == [5, 4, 3, 2, 1]
    assert numbers("q=train.lr%3E0.2 train.lr%3C%3D0.4") == [4, 3]
    assert numbers("q=train.optimizer%3Dadam") == [5, 4]
    assert numbers("q=train.optimizer!%3Dadam") == [3, 2, 1]
    assert numbers("q=train.ok%3Dfalse") == [2, 1]
    assert numbers("q=tag%3Dodd&sort=number") == [1, 3, 5]
    assert numbers("tag=even") == [4, 2]
    assert numbers("status=running") == []
    assert numbers("q=status%3Dqueued number%3E4") == [5]
    assert numbers("sort=train.lr&limit=2") == [1, 2]
    assert numbers("sort=-train.lr&limit=2&offset=1") == [4, 3]
    assert numbers("sort=train.optimizer&limit=2") == [5, 4]
    assert numbers("q=%22Run 3%22") == [3]
    assert editor("GET", f"/projects/{people.project.id.hex}/runs?q=a%3Cb")[0] == 422
    row = editor("GET", f"/projects/{people.project.id.hex}/runs?columns=train.lr&limit=1")[1]["items"][0]
    assert row["config"] == {"train.lr": 0.5}


def test_a_run_says_everything_that_the_browser_needs(editor: Browser, people: People) -> None:
    run = make_run(people.project, user=people.editor)
    worker = workers.register("w1", ["cpu"], [LocalDevice("cpu", 0, "Ryzen", 16_000)], 16_000)
    transitions.claim(run.id, worker, worker.devices.get())
    answer = editor("GET", f"/runs/{run.id.hex}")[1]
    assert answer["device"] == "cpu:0 Ryzen"
    assert answer["attempt"] == 1
    assert answer["user"]["id"] == people.editor.id.hex
    assert answer["duration_s"] >= 0
    assert answer["status"] == Status.RUNNING


def test_a_pipeline_runs_without_a_body(ask: Callable[[str], Browser], pipeline: Pipeline) -> None:
    editor = ask("editor")
    assert editor("POST", f"/pipelines/{pipeline.pk.hex}/runs")[0] == 201
    assert editor("POST", f"/pipelines/{pipeline.pk.hex}/plan")[0] == 200
    assert editor("POST", f"/pipelines/{pipeline.pk.hex}/runs", {"nonsense": 1})[0] == 422
