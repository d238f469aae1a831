"""A person's own account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.support import Caller

pytestmark = pytest.mark.django_db


def test_it_says_who_one_is_and_where_a_member(people: Any) -> None:
    me = Caller(people.editor)("GET", "/me")[1]

    assert me["email"] == "editor@example.org"
    assert me["workspaces"] == [{"id": people.workspace.pk.hex, "name": "Lab", "role": "editor"}]


def test_name_language_and_theme_can_be_changed(people: Any) -> None:
    caller = Caller(people.editor)

    status, me = caller("PATCH", "/me", {"name": "Ed", "language": "zh-Hans", "theme": "light"})

    assert status == 200
    assert (me["name"], me["language"], me["theme"]) == ("Ed", "zh-Hans", "light")
    page = caller.client.get("/account").content.decode()
    assert '<html lang="zh-Hans" data-theme="light">' in page


def test_an_empty_language_follows_the_browser(people: Any) -> None:
    caller = Caller(people.editor)
    caller("PATCH", "/me", {"language": ""})

    page = caller.client.get("/account", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).content.decode()

    assert '<html lang="zh-Hans"' in page


@pytest.mark.parametrize("change", [{"language": "fr"}, {"theme": "pink"}, {"name": ""}, {"name": "x" * 81}])
def test_other_values_are_refused(people: Any, change: dict[str, str]) -> None:
    status, answer = Caller(people.editor)("PATCH", "/me", change)

    assert (status, answer["error"]["field"]) == (422, next(iter(change)))
