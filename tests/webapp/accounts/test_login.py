"""The login page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tests.webapp.conftest import PASSWORD
from webapp.accounts.models import LoginFailures

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client(HTTP_HOST="localhost")


def log_in(client: Client, email: str = "owner@example.org", password: str = PASSWORD, **fields: str) -> HttpResponse:
    return client.post("/login", {"email": email, "password": password, **fields})


def test_the_right_password_gets_in(people: Any, client: Client) -> None:
    answer = log_in(client, "Owner@Example.org ")

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/account").status_code == 200


def test_a_wrong_password_and_an_unknown_address_look_the_same(people: Any, client: Client) -> None:
    wrong, unknown = log_in(client, password="wrong"), log_in(client, "nobody@example.org")

    assert wrong.status_code == unknown.status_code == 422
    text = "The address or the password is wrong."
    assert all(text in answer.content.decode() for answer in (wrong, unknown))


def test_an_account_without_a_password_cannot_be_entered_by_one(people: Any, client: Client) -> None:
    people.owner.set_unusable_password()
    people.owner.save()

    assert log_in(client, password="").status_code == 422


def test_a_locked_account_does_not_get_in(people: Any, client: Client) -> None:
    people.owner.is_active = False
    people.owner.save()

    assert log_in(client).status_code == 422


def test_guessing_is_stopped_and_the_right_password_waits_too(people: Any, client: Client) -> None:
    for _ in range(settings.LOGIN_ATTEMPTS):
        assert log_in(client, password="wrong").status_code == 422

    assert log_in(client).status_code == 429
    assert log_in(client, "editor@example.org").status_code == 302


def test_guessing_from_one_address_is_stopped_for_every_account(people: Any, client: Client) -> None:
    for number in range(settings.LOGIN_ATTEMPTS * 5):
        log_in(client, f"nobody{number}@example.org")

    assert log_in(client).status_code == 429


def test_a_block_ends(people: Any, client: Client) -> None:
    for _ in range(settings.LOGIN_ATTEMPTS):
        log_in(client, password="wrong")
    LoginFailures.objects.update(since=timezone.now() - timedelta(seconds=settings.LOGIN_WINDOW_S + 1))

    assert log_in(client).status_code == 302


def test_a_success_forgets_the_failures(people: Any, client: Client) -> None:
    for _ in range(settings.LOGIN_ATTEMPTS - 1):
        log_in(client, password="wrong")
    log_in(client)
    client.logout()
    log_in(client, password="wrong")

    assert log_in(client).status_code == 302


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/account", "/account"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_it_only_leads_back_to_this_server(people: Any, client: Client, target: str, goes_to: str) -> None:
    assert log_in(client, next=target)["Location"] == goes_to


def test_the_session_key_changes_at_login(people: Any, client: Client) -> None:
    client.get("/login")
    before = client.cookies.get(settings.SESSION_COOKIE_NAME)
    log_in(client)

    assert before is None or before.value != client.cookies[settings.SESSION_COOKIE_NAME].value


def test_logging_out_ends_the_session_for_good(people: Any, client: Client) -> None:
    log_in(client)
    stolen = client.cookies[settings.SESSION_COOKIE_NAME].value

    assert client.post("/logout").status_code == 302

    thief = Client(HTTP_HOST="localhost")
    thief.cookies[settings.SESSION_COOKIE_NAME] = stolen
    assert thief.get("/account").status_code == 302


def test_logging_out_needs_a_post(people: Any, client: Client) -> None:
    log_in(client)

    assert client.get("/logout").status_code == 405


def test_a_new_password_ends_other_sessions(people: Any, client: Client) -> None:
    log_in(client)
    people.owner.set_password("another long password")
    people.owner.save()

    assert client.get("/account").status_code == 302


def test_the_login_page_checks_for_forgery(people: Any) -> None:
    client = Client(HTTP_HOST="localhost", enforce_csrf_checks=True)

    answer = log_in(client)

    assert answer.status_code == 403
    assert "This page is too old" in answer.content.decode()
