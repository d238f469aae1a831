"""The pages: a frame with an island that knows its ids, for members only."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.test import Client

from tests.webapp.runs_support import make_run
from tests.webapp.support import DIGITS, Caller, make_artifact
from webapp.artifacts.models import DataFile, RegisteredModel
from webapp.bridge import parse_document
from webapp.pipelines.changes import create_pipeline
from webapp.shell.pages import LAST_PROJECT
from webapp.workspaces.models import Membership, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def places(people: Any, tmp_path: Any) -> dict[str, str]:
    """An object behind every kind of page."""
    project = people.project
    model = make_artifact(people.workspace, tmp_path, "model", model__json=b"{}")
    data = DataFile.objects.create(project=project, name="t.csv", filename="t.csv", size=1, digest=model.digest)
    return {
        "w": people.workspace.pk.hex,
        "p": project.pk.hex,
        "pipeline": create_pipeline(project, "Digits", parse_document(DIGITS)).pk.hex,
        "run": make_run(project).pk.hex,
        "model": RegisteredModel.objects.create(project=project, name="M", digest=model.digest).pk.hex,
        "data": data.pk.hex,
    }


PAGES = {
    "/account": ("account", {}, "Account"),
    "/w/{w}/": ("projects", {}, "Projects"),
    "/w/{w}/members": ("members", {}, "Members"),
    "/w/{w}/queue": ("queue", {}, "Queue"),
    "/p/{p}/pipelines": ("pipelines", {}, "Pipelines"),
    "/p/{p}/pipelines/{pipeline}": ("builder", {"pipelineId": "{pipeline}"}, "Pipelines"),
    "/p/{p}/runs": ("runs", {}, "Runs"),
    "/p/{p}/runs/{run}": ("run", {"runId": "{run}"}, "Runs"),
    "/p/{p}/compare?runs=a,b": ("compare", {"runIds": ["a", "b"]}, "Runs"),
    "/p/{p}/models": ("models", {}, "Models"),
    "/p/{p}/models/{model}": ("model", {"modelId": "{model}"}, "Models"),
    "/p/{p}/data": ("data", {}, "Data"),
    "/p/{p}/data/{data}": ("datafile", {"dataId": "{data}"}, "Data"),
    "/p/{p}/start": ("start", {}, "Data"),
}


def props_of(page: str) -> dict[str, Any]:
    props: dict[str, Any] = json.loads(html.unescape(page.partition('data-props="')[2].partition('"')[0]))
    return props


@pytest.mark.parametrize("path", PAGES)
def test_a_member_gets_the_page_with_its_ids(path: str, people: Any, places: dict[str, str]) -> None:
    name, ids, current = PAGES[path]
    answer = Caller(people.viewer).client.get(path.format(**places))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert f'id="island" data-page="{name}"' in page
    props = props_of(page)
    for key, value in ids.items():
        assert props[key] == (value.format(**places) if isinstance(value, str) else value)
    assert props["user"]["id"] == people.viewer.pk.hex
    assert props["csrf"]
    if path != "/account":
        assert props["workspace"] == {"id": places["w"], "name": "Lab", "role": "viewer", "canRunCode": False}
        assert f'aria-current="page">{current}</a>' in page
    assert props["project"] == ({"id": places["p"], "name": "First project"} if path.startswith("/p/") else None)


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/account"])
def test_for_a_stranger_there_is_nothing(path: str, people: Any, places: dict[str, str]) -> None:
    answer = Caller(people.stranger).client.get(path.format(**places))

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_an_object_of_another_project_is_not_on_this_page(people: Any, places: dict[str, str]) -> None:
    other = Project.objects.create(workspace=people.workspace, name="Other")

    for path in (p for p in PAGES if p.count("{") == 2):
        assert Caller(people.owner).client.get(path.format(**{**places, "p": other.pk.hex})).status_code == 404


def test_pages_answer_only_questions(people: Any, places: dict[str, str]) -> None:
    for path in PAGES:
        assert Caller(people.owner).client.post(path.format(**places)).status_code == 405


def test_home_is_where_one_was_last(people: Any) -> None:
    other = Project.objects.create(workspace=people.workspace, name="Other")
    client = Caller(people.editor).client
    client.get(f"/p/{people.project.pk.hex}/runs")

    assert client.session[LAST_PROJECT] == people.project.pk.hex
    assert client.get("/")["Location"] == f"/p/{people.project.pk.hex}/pipelines"
    other.delete()


def test_home_forgets_a_project_one_was_removed_from(people: Any) -> None:
    client = Caller(people.editor).client
    client.get(f"/p/{people.project.pk.hex}/runs")
    Membership.objects.filter(user=people.editor).delete()

    assert client.get("/")["Location"] == "/account"


def test_a_stranger_is_led_to_the_login_and_back() -> None:
    answer = Client(HTTP_HOST="localhost").get("/w/x?y=1")

    assert answer["Location"] == "/login?next=%2Fw%2Fx%3Fy%3D1"


def test_the_navigation_names_workspace_and_project(people: Any) -> None:
    page = Caller(people.viewer).client.get(f"/p/{people.project.pk.hex}/runs").content.decode()

    assert f'<a href="/w/{people.workspace.pk.hex}/" translate="no">Lab</a>' in page
    for text in ("Pipelines", "Runs", "Models", "Data", "Queue", "Members"):
        assert f">{text}</a>" in page
    assert '<a class="skip-link" href="#main">' in page


def test_an_unforeseen_error_says_so_without_its_inside(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("webapp.accounts.api.me_json", broken)
    monkeypatch.setattr("webapp.shell.pages.user_props", broken)
    client = Caller(people.viewer).client
    client.raise_request_exception = False

    for path in ("/account", "/api/v1/me"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "Something went wrong in the studio" in answer.content.decode()
        assert "secret detail" not in answer.content.decode()
