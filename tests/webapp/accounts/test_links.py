"""One-time login links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from webapp.accounts.models import LoginLink
from webapp.accounts.secrets import create_link

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client(HTTP_HOST="localhost")


def test_a_link_lets_its_bearer_in(people: Any, client: Client) -> None:
    answer = client.get(f"/link/{create_link(people.owner)}")

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/account").status_code == 200


def test_a_link_works_once(people: Any, client: Client) -> None:
    token = create_link(people.owner)
    client.get(f"/link/{token}")
    second = Client(HTTP_HOST="localhost").get(f"/link/{token}")

    assert second.status_code == 410
    assert "This link has been used" in second.content.decode()


def test_whoever_is_in_already_goes_on_with_a_used_link(people: Any, client: Client) -> None:
    token = create_link(people.owner)
    client.get(f"/link/{token}")

    assert client.get(f"/link/{token}").status_code == 302


def test_a_look_does_not_use_it_up(people: Any, client: Client) -> None:
    token = create_link(people.owner)
    client.head(f"/link/{token}")

    assert client.get(f"/link/{token}").status_code == 302


def test_a_link_expires(people: Any, client: Client) -> None:
    token = create_link(people.owner)
    LoginLink.objects.update(expires=timezone.now() - timedelta(seconds=1))

    assert client.get(f"/link/{token}").status_code == 410


def test_the_link_of_a_locked_account_is_dead(people: Any, client: Client) -> None:
    token = create_link(people.owner)
    people.owner.is_active = False
    people.owner.save()

    assert client.get(f"/link/{token}").status_code == 410


def test_the_token_is_not_in_the_database(people: Any) -> None:
    token = create_link(people.owner)

    assert token not in str(list(LoginLink.objects.values()))


def test_a_stranger_to_the_table_gets_nowhere(client: Client, db: None) -> None:
    assert client.get("/link/" + "A" * 43).status_code == 410
