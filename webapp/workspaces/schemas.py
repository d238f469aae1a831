"""Shapes of workspaces, members, invitations and projects in the REST API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import ninja
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, Field

from webapp.api.schemas import Input, moment
from webapp.workspaces.models import Invitation, Membership, Project, Workspace

RoleName = Literal["owner", "editor", "viewer"]


def _email(value: str) -> str:
    try:
        if value:
            validate_email(value)
    except ValidationError:
        raise ValueError("This is not an e-mail address") from None
    return value


class NameInput(Input):
    name: str = Field(min_length=1, max_length=80)


class WorkspaceOut(ninja.Schema):
    id: str
    name: str
    role: str
    can_run_code: bool
    created: str


class WorkspaceList(ninja.Schema):
    items: list[WorkspaceOut]
    total: int


class MemberChange(Input):
    role: RoleName | None = None
    can_run_code: bool | None = None


class Member(ninja.Schema):
    user: str
    name: str
    email: str
    role: str
    can_run_code: bool
    since: str


class MemberList(ninja.Schema):
    items: list[Member]
    total: int


class InvitationInput(Input):
    role: RoleName
    email: Annotated[str, AfterValidator(_email)] = Field("", max_length=254)


class InvitationOut(ninja.Schema):
    id: str
    role: str
    email: str
    expires: str
    created: str


class NewInvitation(InvitationOut):
    url: str


class InvitationList(ninja.Schema):
    items: list[InvitationOut]
    total: int


class ProjectOut(ninja.Schema):
    id: str
    name: str
    workspace: str
    created: str


class ProjectList(ninja.Schema):
    items: list[ProjectOut]
    total: int


def workspace_json(workspace: Workspace, role: str, can_run_code: bool) -> dict[str, Any]:
    """A workspace as its members see it."""
    return {
        "id": workspace.pk.hex,
        "name": workspace.name,
        "role": role,
        "can_run_code": can_run_code,
        "created": moment(workspace.created),
    }


def member_json(row: Membership) -> dict[str, Any]:
    """A member."""
    return {
        "user": row.user_id.hex,
        "name": row.user.name,
        "email": row.user.email,
        "role": row.role,
        "can_run_code": row.can_run_code,
        "since": moment(row.created),
    }


def invitation_json(row: Invitation) -> dict[str, Any]:
    """An invitation, without its link."""
    return {
        "id": row.pk.hex,
        "role": row.role,
        "email": row.email,
        "expires": moment(row.expires),
        "created": moment(row.created),
    }


def project_json(row: Project) -> dict[str, Any]:
    """A project."""
    return {"id": row.pk.hex, "name": row.name, "workspace": row.workspace_id.hex, "created": moment(row.created)}
