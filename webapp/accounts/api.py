"""``/me`` and ``/keys``: a person's own account and API keys."""

from __future__ import annotations

import uuid
from typing import Literal

import ninja
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from webapp.accounts.models import ApiKey, User
from webapp.accounts.secrets import create_key
from webapp.accounts.throttle import is_blocked, note_failure, note_success
from webapp.api.errors import ApiError, not_found
from webapp.api.schemas import ERRORS, Input, items, moment
from webapp.workspaces.access import person

router = Router(tags=["account"])
MAX_KEYS = 50


class MyWorkspace(ninja.Schema):
    id: str
    name: str
    role: str


class Me(ninja.Schema):
    id: str
    email: str
    name: str
    language: str
    theme: str
    has_password: bool
    workspaces: list[MyWorkspace]


class MeChange(Input):
    name: str | None = Field(None, min_length=1, max_length=80)
    language: Literal["", "en", "zh-Hans"] | None = None
    theme: Literal["system", "light", "dark"] | None = None


class PasswordChange(Input):
    current: str = Field("", max_length=500)
    new: str = Field(min_length=1, max_length=500)


class KeyInput(Input):
    name: str = Field(min_length=1, max_length=80)


class Key(ninja.Schema):
    id: str
    name: str
    prefix: str
    created: str
    last_used: str | None


class NewKey(Key):
    key: str


class Keys(ninja.Schema):
    items: list[Key]
    total: int


def me_json(user: User) -> dict[str, object]:
    """The person, with the workspaces they are a member of."""
    rows = user.memberships.select_related("workspace").order_by("workspace__created")
    return {
        "id": user.pk.hex,
        "email": user.email,
        "name": user.name,
        "language": user.language,
        "theme": user.theme,
        "has_password": user.has_usable_password(),
        "workspaces": [{"id": row.workspace_id.hex, "name": row.workspace.name, "role": row.role} for row in rows],
    }


def key_json(key: ApiKey) -> dict[str, object]:
    """A key as lists show it: never the key itself."""
    return {
        "id": key.pk.hex,
        "name": key.name,
        "prefix": key.prefix,
        "created": moment(key.created),
        "last_used": moment(key.last_used),
    }


@router.get("/me", response={200: Me, **ERRORS})
def read_me(request: HttpRequest) -> dict[str, object]:
    """Who the credentials belong to."""
    return me_json(person(request))


@router.patch("/me", response={200: Me, **ERRORS})
def change_me(request: HttpRequest, payload: MeChange) -> dict[str, object]:
    """Change name, language or theme; an empty language follows the browser."""
    user = person(request)
    changes = payload.dict(exclude_none=True)
    for field, value in changes.items():
        setattr(user, field, value)
    user.save(update_fields=list(changes))
    return me_json(user)


@router.post("/me/password", response={204: None, **ERRORS})
def change_password(request: HttpRequest, payload: PasswordChange) -> Status[None]:
    """Set a password, or change it by naming the current one; other sessions of the person end."""
    user = person(request)
    if "Authorization" in request.headers:
        raise ApiError(403, "A password is changed in the browser, not with an API key")
    if user.has_usable_password():
        _check_current(request, user, payload.current)
    try:
        validate_password(payload.new, user)
    except ValidationError as error:
        raise ApiError(422, "{problem}", field="new", problem=" ".join(error.messages)) from None
    user.set_password(payload.new)
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)
    return Status(204, None)


def _check_current(request: HttpRequest, user: User, password: str) -> None:
    """Refuse a wrong password, as slowly as the login page does."""
    address = request.META.get("REMOTE_ADDR", "")
    if is_blocked(user.email, address):
        raise ApiError(429, "Too many failed attempts", hint="Wait a quarter of an hour.")
    if not user.check_password(password):
        note_failure(user.email, address)
        raise ApiError(422, "This is not your current password", field="current")
    note_success(user.email)


@router.get("/keys", response={200: Keys, **ERRORS})
def list_keys(request: HttpRequest) -> dict[str, object]:
    """The person's API keys."""
    return items(key_json(key) for key in person(request).api_keys.order_by("created"))


@router.post("/keys", response={201: NewKey, **ERRORS})
def add_key(request: HttpRequest, payload: KeyInput) -> Status[dict[str, object]]:
    """Make an API key. ``key`` is shown here and never again."""
    user = person(request)
    if user.api_keys.count() >= MAX_KEYS:
        raise ApiError(409, "There are {most} keys already", hint="Delete one that is not used.", most=MAX_KEYS)
    key, text = create_key(user, payload.name)
    return Status(201, {**key_json(key), "key": text})


@router.delete("/keys/{hexid:key_id}", response={204: None, **ERRORS})
def delete_key(request: HttpRequest, key_id: uuid.UUID) -> Status[None]:
    """Revoke a key at once."""
    if not person(request).api_keys.filter(pk=key_id).delete()[0]:
        raise not_found()
    return Status(204, None)
