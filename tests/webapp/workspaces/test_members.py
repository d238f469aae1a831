"""Members, their roles, and the last owner."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.support import Caller
from webapp.workspaces.models import Membership

pytestmark = pytest.mark.django_db


def path(people: Any, user: Any) -> str:
    return f"/workspaces/{people.workspace.pk.hex}/members/{user.pk.hex}"


def test_every_member_sees_the_others(people: Any) -> None:
    rows = Caller(people.viewer)("GET", f"/workspaces/{people.workspace.pk.hex}/members")[1]["items"]

    assert [(row["email"], row["role"]) for row in rows] == [
        ("owner@example.org", "owner"),
        ("editor@example.org", "editor"),
        ("viewer@example.org", "viewer"),
    ]


def test_an_owner_changes_a_role(people: Any) -> None:
    status, row = Caller(people.owner)("PATCH", path(people, people.viewer), {"role": "editor", "can_run_code": True})

    assert (status, row["role"], row["can_run_code"]) == (200, "editor", True)


def test_a_change_of_one_thing_leaves_the_other(people: Any) -> None:
    caller = Caller(people.owner)
    caller("PATCH", path(people, people.editor), {"can_run_code": True})

    assert caller("PATCH", path(people, people.editor), {"role": "viewer"})[1]["can_run_code"] is True


def test_an_editor_cannot_make_himself_an_owner(people: Any) -> None:
    assert Caller(people.editor)("PATCH", path(people, people.editor), {"role": "owner"})[0] == 403


def test_the_last_owner_can_neither_leave_nor_step_down(people: Any) -> None:
    caller = Caller(people.owner)

    for status, answer in (
        caller("DELETE", path(people, people.owner)),
        caller("PATCH", path(people, people.owner), {"role": "viewer"}),
    ):
        assert status == 409
        assert answer["error"]["template"] == "{name} is the last owner of this workspace"
        assert answer["error"]["hint"] == "Make another member an owner first."


def test_with_a_second_owner_the_first_may_leave(people: Any) -> None:
    caller = Caller(people.owner)
    caller("PATCH", path(people, people.editor), {"role": "owner"})

    assert caller("DELETE", path(people, people.owner))[0] == 204
    assert caller("GET", f"/workspaces/{people.workspace.pk.hex}")[0] == 404


def test_everybody_may_leave(people: Any) -> None:
    assert Caller(people.viewer)("DELETE", path(people, people.viewer))[0] == 204
    assert not Membership.objects.filter(user=people.viewer).exists()


def test_a_removed_member_sees_nothing_any_more(people: Any) -> None:
    Caller(people.owner)("DELETE", path(people, people.editor))

    assert Caller(people.editor)("GET", f"/projects/{people.project.pk.hex}")[0] == 404


@pytest.mark.parametrize("role", ["admin", "", None, 3])
def test_other_roles_do_not_exist(people: Any, role: Any) -> None:
    status, _ = Caller(people.owner)("PATCH", path(people, people.viewer), {"role": role})

    assert status == (200 if role is None else 422)
    assert Membership.objects.get(user=people.viewer).role == "viewer"
