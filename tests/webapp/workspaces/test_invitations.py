"""Invitation links: hashed, expiring, for one person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.webapp.conftest import PASSWORD
from tests.webapp.support import Caller
from webapp.accounts.models import User
from webapp.workspaces.changes import accept_invitation, find_invitation, invite
from webapp.workspaces.models import Invitation, Membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def token(people: Any) -> str:
    return invite(people.workspace, people.owner, "editor", "new@example.org")[1]


def client(user: Any = None) -> Client:
    made = Client(HTTP_HOST="localhost")
    if user is not None:
        made.force_login(user)
    return made


def test_an_owner_makes_a_link_that_is_shown_once(people: Any) -> None:
    caller = Caller(people.owner)
    path = f"/workspaces/{people.workspace.pk.hex}/invitations"

    status, made = caller("POST", path, {"role": "viewer", "email": "new@example.org"})

    assert status == 201
    assert made["url"].startswith("http://localhost/invite/")
    token = made["url"].rpartition("/")[2]
    listed = caller("GET", path)[1]["items"]
    assert [row["email"] for row in listed] == ["new@example.org"]
    assert token not in str(listed)
    assert token not in str(Invitation.objects.values().get())


def test_a_new_person_makes_an_account_and_is_a_member(people: Any, token: str) -> None:
    browser = client()
    page = browser.get(f"/invite/{token}").content.decode()
    assert "Join Lab" in page
    assert "new@example.org" in page

    answer = browser.post(
        f"/invite/{token}", {"name": "New", "email": "new@example.org", "password": "correct horse battery"}
    )

    assert answer["Location"] == f"/w/{people.workspace.pk.hex}/"
    assert browser.get(answer["Location"]).status_code == 200
    assert Membership.objects.get(user__email="new@example.org").role == "editor"


def test_who_is_logged_in_joins_with_one_click(people: Any, token: str) -> None:
    browser = client(people.stranger)
    assert browser.get(f"/invite/{token}").status_code == 200
    assert not Membership.objects.filter(workspace=people.workspace, user=people.stranger).exists()

    browser.post(f"/invite/{token}")

    assert Membership.objects.get(workspace=people.workspace, user=people.stranger).role == "editor"


def test_a_link_serves_one_person(people: Any, token: str) -> None:
    client(people.stranger).post(f"/invite/{token}")

    answer = client().get(f"/invite/{token}")

    assert answer.status_code == 410
    assert "This invitation cannot be used" in answer.content.decode()


def test_of_two_at_once_one_gets_in(people: Any, token: str) -> None:
    invitation = find_invitation(token)
    other = User.objects.create_user("other@example.org", name="Other")
    assert invitation is not None

    assert accept_invitation(invitation, people.stranger)
    assert not accept_invitation(invitation, other)
    assert not Membership.objects.filter(user=other).exists()


def test_a_link_expires(people: Any, token: str) -> None:
    Invitation.objects.update(expires=timezone.now() - timedelta(seconds=1))

    assert client().get(f"/invite/{token}").status_code == 410


def test_a_withdrawn_link_is_dead(people: Any, token: str) -> None:
    row = Invitation.objects.get()

    assert Caller(people.owner)("DELETE", f"/invitations/{row.pk.hex}")[0] == 204
    assert client().get(f"/invite/{token}").status_code == 410


def test_a_member_keeps_the_role_he_has(people: Any) -> None:
    _, token = invite(people.workspace, people.owner, "viewer")

    client(people.owner).post(f"/invite/{token}")

    assert Membership.objects.get(workspace=people.workspace, user=people.owner).role == "owner"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "", "email": "a@example.org", "password": PASSWORD}, "This field is required."),
        ({"name": "A", "email": "owner@example.org", "password": PASSWORD}, "There is an account with this address."),
        ({"name": "A", "email": "a@example.org", "password": "short"}, "too short"),
        ({"name": "A", "email": "nothing", "password": PASSWORD}, "valid email"),
    ],
)
def test_a_new_account_is_checked(people: Any, token: str, fields: dict[str, str], complaint: str) -> None:
    answer = client().post(f"/invite/{token}", fields)

    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert find_invitation(token) is not None


def test_an_invitation_needs_an_address_or_none(people: Any) -> None:
    status, answer = Caller(people.owner)(
        "POST", f"/workspaces/{people.workspace.pk.hex}/invitations", {"role": "viewer", "email": "not an address"}
    )

    assert (status, answer["error"]["field"]) == (422, "email")
