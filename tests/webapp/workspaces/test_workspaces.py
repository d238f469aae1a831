"""Workspaces and their projects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.runs_support import make_run
from tests.webapp.support import Caller
from webapp.workspaces.models import Project

pytestmark = pytest.mark.django_db


def test_who_makes_a_workspace_owns_it_and_finds_a_project_in_it(people: Any) -> None:
    caller = Caller(people.viewer)

    status, made = caller("POST", "/workspaces", {"name": "Mine"})

    assert status == 201
    assert (made["name"], made["role"], made["can_run_code"]) == ("Mine", "owner", True)
    assert caller("GET", f"/workspaces/{made['id']}/projects")[1]["total"] == 1


def test_the_list_holds_only_own_workspaces(people: Any) -> None:
    names = [row["name"] for row in Caller(people.stranger)("GET", "/workspaces")[1]["items"]]

    assert names == ["Elsewhere"]


def test_an_owner_renames_a_workspace(people: Any) -> None:
    status, answer = Caller(people.owner)("PATCH", f"/workspaces/{people.workspace.pk.hex}", {"name": "New"})

    assert (status, answer["name"]) == (200, "New")


def test_an_editor_makes_and_renames_projects(people: Any) -> None:
    caller = Caller(people.editor)

    made = caller("POST", f"/workspaces/{people.workspace.pk.hex}/projects", {"name": "Second"})[1]
    status, answer = caller("PATCH", f"/projects/{made['id']}", {"name": "Third"})

    assert (status, answer["name"], answer["workspace"]) == (200, "Third", people.workspace.pk.hex)


def test_a_project_with_unfinished_runs_is_not_deleted(people: Any) -> None:
    make_run(people.project)

    status, answer = Caller(people.owner)("DELETE", f"/projects/{people.project.pk.hex}")

    assert (status, answer["error"]["hint"]) == (409, "Cancel them first.")
    assert Project.objects.filter(pk=people.project.pk).exists()


def test_a_project_without_unfinished_runs_is_deleted(people: Any) -> None:
    assert Caller(people.owner)("DELETE", f"/projects/{people.project.pk.hex}") == (204, None)
    assert Caller(people.owner)("GET", f"/projects/{people.project.pk.hex}")[0] == 404


@pytest.mark.parametrize("id_", ["x", "0" * 31, "0" * 33, "0" * 31 + "G", "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_id_is_404(people: Any, id_: str) -> None:
    assert Caller(people.owner).ask("GET", f"/projects/{id_}").status_code == 404
