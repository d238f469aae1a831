"""Who may call what: a table with one row for every endpoint, tried with every role.

The endpoints are read off the live API; one that has no row here fails. Whoever has too low a role gets 403, whoever
is no member gets 404 as if the object did not exist.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from tests.webapp.runs_support import make_run
from tests.webapp.support import DIGITS, EMPTY, Caller, make_artifact
from webapp.api.routes import api
from webapp.artifacts.models import DataFile, Job, RegisteredModel
from webapp.pipelines.models import Pipeline, PipelineVersion
from webapp.workspaces.changes import invite
from webapp.workspaces.models import Membership

RANK = {"stranger": -1, "viewer": 0, "editor": 1, "owner": 2}


@dataclass(frozen=True)
class Row:
    """``role``: the lowest that may; ``person`` needs no object, so everybody who is logged in may."""

    role: str
    body: Any = None
    query: str = ""
    upload: bool = False
    may_answer: set[int] = field(default_factory=set)


POLICY: dict[str, Row] = {
    "GET /catalog": Row("person"),
    "GET /templates": Row("person"),
    "GET /me": Row("person"),
    "PATCH /me": Row("person", {"theme": "dark"}),
    "POST /me/password": Row("person", {"new": "short"}, may_answer={422}),
    "GET /keys": Row("person"),
    "POST /keys": Row("person", {"name": "laptop"}),
    "DELETE /keys/{key_id}": Row("person", may_answer={404}),
    "GET /workspaces": Row("person"),
    "POST /workspaces": Row("person", {"name": "Mine"}),
    "GET /workspaces/{workspace_id}": Row("viewer"),
    "PATCH /workspaces/{workspace_id}": Row("owner", {"name": "New"}),
    "GET /workspaces/{workspace_id}/members": Row("viewer"),
    "PATCH /workspaces/{workspace_id}/members/{user_id}": Row("owner", {"can_run_code": True}),
    "DELETE /workspaces/{workspace_id}/members/{user_id}": Row("owner"),
    "GET /workspaces/{workspace_id}/invitations": Row("owner"),
    "POST /workspaces/{workspace_id}/invitations": Row("owner", {"role": "viewer"}),
    "DELETE /invitations/{invitation_id}": Row("owner"),
    "GET /workspaces/{workspace_id}/projects": Row("viewer"),
    "POST /workspaces/{workspace_id}/projects": Row("editor", {"name": "Second"}),
    "GET /projects/{project_id}": Row("viewer"),
    "PATCH /projects/{project_id}": Row("editor", {"name": "New"}),
    "DELETE /projects/{project_id}": Row("owner", may_answer={409}),
    "GET /projects/{project_id}/pipelines": Row("viewer"),
    "POST /projects/{project_id}/pipelines": Row("editor", {"document": DIGITS}),
    "GET /pipelines/{pipeline_id}": Row("viewer"),
    "DELETE /pipelines/{pipeline_id}": Row("editor"),
    "GET /pipelines/{pipeline_id}/operations": Row("viewer"),
    "POST /pipelines/{pipeline_id}/operations": Row(
        "editor", {"base_version": 1, "op_id": "a", "ops": [{"op": "set_seed", "seed": 3}]}
    ),
    "POST /pipelines/{pipeline_id}/import": Row("editor", {"document": EMPTY}),
    "GET /pipelines/{pipeline_id}/versions": Row("viewer"),
    "POST /pipelines/{pipeline_id}/versions": Row("editor", {"name": "good"}),
    "POST /pipelines/{pipeline_id}/restore": Row("editor", {"version": 1}),
    "POST /pipelines/{pipeline_id}/runs": Row("editor", {}),
    "POST /pipelines/{pipeline_id}/plan": Row("viewer", {}),
    "POST /projects/{project_id}/runs": Row("editor", {"document": DIGITS}),
    "GET /projects/{project_id}/runs": Row("viewer"),
    "GET /projects/{project_id}/series": Row("viewer", query="?runs={run_id}&names=train.loss"),
    "GET /runs/{run_id}": Row("viewer"),
    "PATCH /runs/{run_id}": Row("editor", {"notes": "good"}),
    "DELETE /runs/{run_id}": Row("editor", may_answer={409}),
    "POST /runs/{run_id}/cancel": Row("editor"),
    "GET /runs/{run_id}/events": Row("viewer"),
    "GET /runs/{run_id}/log": Row("viewer"),
    "GET /runs/{run_id}/series": Row("viewer", query="?names=train.loss"),
    "GET /workspaces/{workspace_id}/artifacts/{digest}": Row("viewer"),
    "GET /workspaces/{workspace_id}/artifacts/{digest}/files/{name}": Row("viewer"),
    "GET /workspaces/{workspace_id}/queue": Row("viewer"),
    "GET /projects/{project_id}/data": Row("viewer"),
    "POST /projects/{project_id}/data": Row("editor", upload=True),
    "GET /data/{data_id}": Row("viewer"),
    "PATCH /data/{data_id}": Row("editor", {"name": "People"}),
    "DELETE /data/{data_id}": Row("editor"),
    "POST /data/{data_id}/pipeline": Row("editor", {"target": "age", "task": "regression"}),
    "GET /jobs/{job_id}": Row("viewer"),
    "GET /projects/{project_id}/models": Row("viewer"),
    "POST /projects/{project_id}/models": Row("editor", {"name": "best", "digest": "{model}"}),
    "GET /models/{model_id}": Row("viewer"),
    "PATCH /models/{model_id}": Row("editor", {"notes": "good"}),
    "DELETE /models/{model_id}": Row("editor"),
    "POST /models/{model_id}/predict": Row("editor", upload=True),
}
# The rooms of runs and of the queue name their ids otherwise.
SAME = {
    "/pipelines/{id_}": "/pipelines/{pipeline_id}",
    "/runs/{id_}": "/runs/{run_id}",
    "/projects/{project}": "/projects/{project_id}",
    "/workspaces/{workspace}": "/workspaces/{workspace_id}",
}


def endpoints() -> list[str]:
    found = []
    for path, item in api.get_openapi_schema(path_prefix="")["paths"].items():
        for theirs, ours in SAME.items():
            path = path.replace(theirs, ours)
        found += [f"{method.upper()} /{path.lstrip('/')}" for method in item]
    return found


def test_every_endpoint_has_a_row() -> None:
    assert sorted(set(endpoints()) - set(POLICY)) == []
    assert sorted(set(POLICY) - set(endpoints())) == []


@pytest.fixture
def world(people: Any, tmp_path: Any) -> dict[str, str]:
    """One object of every kind, all in the workspace of ``people``."""
    project, workspace = people.project, people.workspace
    pipeline = Pipeline.objects.create(project=project, name="Digits", document=DIGITS, updated=timezone.now())
    PipelineVersion.objects.create(pipeline=pipeline, version=1, name="first", document=DIGITS, user=people.owner)
    file = make_artifact(workspace, tmp_path, content=b"age\n1\n")
    model = make_artifact(workspace, tmp_path, "model", model__json=b"{}")
    guest = Membership.objects.create(workspace=workspace, user=_guest(), role="viewer")
    data = DataFile.objects.create(
        project=project,
        name="people.csv",
        filename="people.csv",
        kind="table",
        size=6,
        digest=file.digest,
        status="ready",
        inspection={"columns": [{"name": "age"}]},
    )
    kept = RegisteredModel.objects.create(project=project, name="best", digest=model.digest)
    return {
        "workspace_id": workspace.pk.hex,
        "project_id": project.pk.hex,
        "user_id": guest.user_id.hex,
        "invitation_id": invite(workspace, people.owner, "viewer")[0].pk.hex,
        "pipeline_id": pipeline.pk.hex,
        "run_id": make_run(project).pk.hex,
        "data_id": data.pk.hex,
        "model_id": kept.pk.hex,
        "job_id": Job.objects.create(workspace=workspace, kind="inspect", input={}).pk.hex,
        "digest": file.digest,
        "name": "content",
        "model": model.digest,
        "key_id": uuid.uuid4().hex,
    }


def _guest() -> Any:
    from webapp.accounts.models import User

    return User.objects.create_user("guest@example.org", name="Guest")


def call(caller: Caller, endpoint: str, world: dict[str, str]) -> tuple[int, Any]:
    row = POLICY[endpoint]
    method, path = (endpoint + row.query).format(**world).split(" ", 1)
    if row.upload:
        return caller.upload(path, "people.csv", b"age\n1\n")
    body = {k: v.format(**world) if isinstance(v, str) else v for k, v in row.body.items()} if row.body else row.body
    answer = caller.ask(method, path, body)
    return answer.status_code, getattr(answer, "content", b"")[:300]


def answers(caller: Caller, world: dict[str, str]) -> Iterator[tuple[str, int, Any]]:
    """What the caller gets for every endpoint; each call finds the world as it was."""
    for endpoint in sorted(POLICY):
        with transaction.atomic():
            yield endpoint, *call(caller, endpoint, world)
            transaction.set_rollback(True)


def expected_of(role: str, row: Row) -> set[int]:
    if row.role != "person" and role == "stranger":
        return {404}
    if row.role != "person" and RANK[role] < RANK[row.role]:
        return {403}
    return {200, 201, 202, 204, *row.may_answer}


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["stranger", "viewer", "editor", "owner"])
def test_each_role_gets_what_the_table_says(role: str, people: Any, world: dict[str, str]) -> None:
    wrong = [
        (endpoint, status, content)
        for endpoint, status, content in answers(Caller(getattr(people, role)), world)
        if status not in expected_of(role, POLICY[endpoint])
    ]

    assert wrong == []


@pytest.mark.django_db
def test_an_object_that_does_not_exist_answers_like_a_foreign_one(people: Any, world: dict[str, str]) -> None:
    nothing = {**{name: uuid.uuid4().hex for name in world}, "digest": "sha256:" + "0" * 64, "name": "content"}

    wrong = [
        (endpoint, status)
        for endpoint, status, _ in answers(Caller(people.owner), nothing)
        if POLICY[endpoint].role != "person" and status != 404
    ]

    assert wrong == []


@pytest.mark.django_db
def test_a_foreign_object_inside_an_own_one_is_404(people: Any, world: dict[str, str], tmp_path: Any) -> None:
    owner = Caller(people.owner)
    foreign = people.stranger.workspaces.get()
    artifact = make_artifact(foreign, tmp_path, "model", model__json=b'{"secret": 1}')

    mine = f"/workspaces/{world['workspace_id']}"
    theirs = f"/p/{foreign.projects.get().pk.hex}"
    project = f"/projects/{world['project_id']}"

    assert owner("GET", f"{mine}/artifacts/{artifact.digest}")[0] == 404
    assert owner("DELETE", f"{mine}/members/{people.stranger.pk.hex}")[0] == 404
    assert owner("POST", f"{project}/models", {"name": "x", "digest": artifact.digest})[0] == 404
    assert owner.ask("GET", f"{theirs}/runs/{world['run_id']}").status_code == 404
