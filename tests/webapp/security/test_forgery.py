"""Another site cannot make a browser change anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings

from tests.webapp.security.test_roles import POLICY, call, world  # noqa: F401  (world is a fixture)
from tests.webapp.support import Caller
from webapp.accounts.secrets import create_key

pytestmark = pytest.mark.django_db
MUTATIONS = sorted(endpoint for endpoint in POLICY if not endpoint.startswith("GET"))


def token_of(caller: Caller) -> str:
    """The token that a page carries for its scripts."""
    page = caller.client.get("/account").content.decode()
    props = page.partition('data-props="')[2].partition('"')[0].replace("&quot;", '"')
    token: str = json.loads(props)["csrf"]
    return token


def test_no_mutation_works_without_the_token(people: Any, world: dict[str, str]) -> None:  # noqa: F811  (the fixture)
    caller = Caller(people.owner, checks_csrf=True)

    answers = {endpoint: call(caller, endpoint, world) for endpoint in MUTATIONS}

    assert {endpoint: status for endpoint, (status, _) in answers.items() if status != 403} == {}


def test_a_mutation_works_with_the_token_of_the_page(people: Any) -> None:
    caller = Caller(people.owner, checks_csrf=True)

    status, me = caller("PATCH", "/me", {"theme": "dark"}, **{"X-CSRFToken": token_of(caller)})

    assert (status, me["theme"]) == (200, "dark")


def test_a_wrong_token_is_refused(people: Any) -> None:
    caller = Caller(people.owner, checks_csrf=True)
    token_of(caller)

    status, answer = caller("PATCH", "/me", {"theme": "dark"}, **{"X-CSRFToken": "x" * 64})

    assert status == 403
    assert answer["error"]["message"] == "The CSRF token is missing or wrong"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_token_does_not_help_another_site(people: Any, site: str) -> None:
    caller = Caller(people.owner, checks_csrf=True)

    status, _ = caller("PATCH", "/me", {"theme": "dark"}, **{"X-CSRFToken": token_of(caller), "Sec-Fetch-Site": site})

    assert status == 403


def test_a_program_with_a_key_needs_no_token(people: Any) -> None:
    _, key = create_key(people.owner, "program")
    caller = Caller(key=key, checks_csrf=True)

    assert caller("PATCH", "/me", {"theme": "dark"})[0] == 200


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"],
)
def test_bodies_that_a_form_could_send_are_415(people: Any, content_type: str) -> None:
    caller = Caller(people.owner)

    answer = caller.client.generic("PATCH", "/api/v1/me", b'{"theme": "dark"}', content_type=content_type)

    assert answer.status_code == 415
    people.owner.refresh_from_db()
    assert people.owner.theme == "system"


def test_a_get_changes_nothing(people: Any, world: dict[str, str]) -> None:  # noqa: F811  (the fixture)
    caller = Caller(people.owner)

    for endpoint in MUTATIONS:
        path = endpoint.format(**world).split(" ")[1]
        answer = caller.ask("GET", path, **{"X-HTTP-Method-Override": endpoint.split(" ")[0]})
        assert answer.status_code in {200, 405}, endpoint
    assert caller("GET", f"/projects/{world['project_id']}")[0] == 200


def test_unknown_keys_of_a_body_are_refused(people: Any) -> None:
    status, answer = Caller(people.owner)("PATCH", "/me", {"theme": "dark", "is_superuser": True})

    assert status == 422
    assert answer["error"]["field"] == "is_superuser"


def test_broken_json_is_400(people: Any) -> None:
    status, answer = Caller(people.owner)("PATCH", "/me", b"{")

    assert (status, answer["error"]["kind"]) == (400, "user")


def test_cookies_are_kept_from_scripts_and_other_sites(people: Any) -> None:
    caller = Caller()
    caller.client.post("/login", {"email": "owner@example.org", "password": "a long password"})
    caller.client.get("/account")

    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        cookie = caller.client.cookies[name]
        assert cookie["httponly"] is True
        assert cookie["samesite"] == "Lax"


def test_every_page_carries_the_policy(people: Any) -> None:
    for path in ("/login", "/account", "/nothing", "/api/v1/me", "/static/shell/icon.svg"):
        answer = Caller(people.owner).client.get(path)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self';" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert not answer.streaming or b"".join(answer)


def test_pages_have_no_inline_script(people: Any) -> None:
    for path in ("/login", "/account"):
        page = Caller(people.owner if path == "/account" else None).client.get(path).content.decode()
        assert "<script>" not in page
        assert " onclick=" not in page


def test_names_cannot_break_out_of_the_page(people: Any) -> None:
    people.workspace.name = '"></div><script>alert(1)</script>'
    people.workspace.save()

    page = Caller(people.owner).client.get(f"/w/{people.workspace.pk.hex}/").content.decode()

    assert "<script>alert" not in page
