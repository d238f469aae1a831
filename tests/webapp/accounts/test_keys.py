"""API keys: shown once, stored as keyed hashes, revoked at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.support import Caller
from webapp.accounts.models import ApiKey
from webapp.accounts.secrets import create_key, user_of_key

pytestmark = pytest.mark.django_db


def test_a_new_key_is_shown_once(people: Any) -> None:
    caller = Caller(people.editor)

    status, made = caller("POST", "/keys", {"name": "laptop"})

    assert status == 201
    assert made["key"].startswith(made["prefix"])
    assert made["prefix"].startswith("dsk_")
    listed = caller("GET", "/keys")[1]["items"]
    assert [(key["id"], key["name"]) for key in listed] == [(made["id"], "laptop")]
    assert made["key"] not in str(listed)


def test_a_key_has_256_random_bits_and_only_its_hash_is_stored(people: Any) -> None:
    row, text = create_key(people.editor, "laptop")

    assert len(text) == len("dsk_12345678_") + 43
    stored = str(ApiKey.objects.values().get())
    assert text not in stored
    assert text[12:] not in stored
    assert len(row.key_hash) == 64


def test_the_hash_depends_on_the_pepper(people: Any, settings: Any) -> None:
    _, text = create_key(people.editor, "laptop")
    settings.KEY_PEPPER = "another pepper of at least 32 characters"

    assert user_of_key(text) is None


def test_a_key_speaks_for_its_owner(people: Any) -> None:
    _, text = create_key(people.editor, "laptop")

    status, me = Caller(key=text)("GET", "/me")

    assert (status, me["email"]) == (200, "editor@example.org")
    assert ApiKey.objects.get().last_used is not None


@pytest.mark.parametrize("damage", ["change the end", "only the prefix", "capitals", "nothing"])
def test_a_damaged_key_is_nobody(people: Any, damage: str) -> None:
    _, text = create_key(people.editor, "laptop")
    damaged = {
        "change the end": text[:-1] + ("a" if text[-1] != "a" else "b"),
        "only the prefix": text[:12],
        "capitals": text.upper(),
        "nothing": "",
    }[damage]

    assert user_of_key(damaged) is None


def test_a_revoked_key_is_dead_at_once(people: Any) -> None:
    row, text = create_key(people.editor, "laptop")

    assert Caller(people.editor)("DELETE", f"/keys/{row.pk.hex}")[0] == 204
    assert Caller(key=text)("GET", "/me")[0] == 401


def test_nobody_revokes_the_key_of_another(people: Any) -> None:
    row, _ = create_key(people.editor, "laptop")

    assert Caller(people.owner)("DELETE", f"/keys/{row.pk.hex}")[0] == 404
    assert ApiKey.objects.count() == 1


def test_a_locked_account_has_no_working_keys(people: Any) -> None:
    _, text = create_key(people.editor, "laptop")
    people.editor.is_active = False
    people.editor.save()

    assert Caller(key=text)("GET", "/me")[0] == 401


def test_a_key_needs_a_name(people: Any) -> None:
    status, answer = Caller(people.editor)("POST", "/keys", {"name": ""})

    assert (status, answer["error"]["field"]) == (422, "name")
