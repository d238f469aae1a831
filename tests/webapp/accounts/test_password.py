"""Setting and changing one's own password."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.webapp.conftest import PASSWORD
from tests.webapp.support import Caller
from webapp.accounts.secrets import create_key

pytestmark = pytest.mark.django_db
NEW = "correct horse battery staple"


def test_it_is_changed_by_naming_the_current_one_and_this_session_goes_on(people: Any) -> None:
    caller = Caller(people.editor)

    assert caller("POST", "/me/password", {"current": PASSWORD, "new": NEW})[0] == 204

    assert caller("GET", "/me")[0] == 200
    people.editor.refresh_from_db()
    assert people.editor.check_password(NEW)


def test_other_sessions_end(people: Any) -> None:
    other = Client()
    other.force_login(people.editor)

    Caller(people.editor)("POST", "/me/password", {"current": PASSWORD, "new": NEW})

    assert other.get("/api/v1/me").status_code == 401


def test_a_wrong_current_one_changes_nothing_and_is_slowed_down(people: Any, settings: Any) -> None:
    caller = Caller(people.editor)
    for _ in range(settings.LOGIN_ATTEMPTS):
        status, answer = caller("POST", "/me/password", {"current": "guess", "new": NEW})
        assert (status, answer["error"]["field"]) == (422, "current")

    assert caller("POST", "/me/password", {"current": PASSWORD, "new": NEW})[0] == 429
    people.editor.refresh_from_db()
    assert people.editor.check_password(PASSWORD)


def test_a_weak_one_is_refused_with_the_reason(people: Any) -> None:
    status, answer = Caller(people.editor)("POST", "/me/password", {"current": PASSWORD, "new": "12345"})

    assert (status, answer["error"]["field"]) == (422, "new")


def test_who_has_none_yet_sets_one(people: Any) -> None:
    people.editor.set_unusable_password()
    people.editor.save()
    caller = Caller(people.editor)

    assert caller("GET", "/me")[1]["has_password"] is False
    assert caller("POST", "/me/password", {"new": NEW})[0] == 204
    assert caller("GET", "/me")[1]["has_password"] is True


def test_an_api_key_cannot_set_one(people: Any) -> None:
    people.editor.set_unusable_password()
    people.editor.save()
    client = Client(headers={"Authorization": f"Bearer {create_key(people.editor, 'ci')[1]}"})

    answer = client.post("/api/v1/me/password", {"new": NEW}, content_type="application/json")

    assert answer.status_code == 403
