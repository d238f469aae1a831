"""Endpoints of workspaces, members, invitations and projects."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Router, Status

from webapp.api.errors import ApiError, not_found
from webapp.api.schemas import ERRORS, items
from webapp.workspaces import schemas as shapes
from webapp.workspaces.access import Access, find, find_with_access, person
from webapp.workspaces.changes import change_member, create_workspace, invite, remove_member
from webapp.workspaces.models import Invitation, Membership, Project, Role, Workspace

router = Router(tags=["workspaces"])


def _access(request: HttpRequest, workspace_id: uuid.UUID, role: str = Role.VIEWER) -> Access:
    return find_with_access(Workspace, person(request), workspace_id, role)[1]


@router.get("/workspaces", response={200: shapes.WorkspaceList, **ERRORS})
def list_workspaces(request: HttpRequest) -> dict[str, Any]:
    """The workspaces the person is a member of."""
    rows = person(request).memberships.select_related("workspace").order_by("workspace__created")
    return items(shapes.workspace_json(row.workspace, row.role, row.can_run_code) for row in rows)


@router.post("/workspaces", response={201: shapes.WorkspaceOut, **ERRORS})
def add_workspace(request: HttpRequest, payload: shapes.NameInput) -> Status[dict[str, Any]]:
    """Make a workspace; the person becomes its owner."""
    workspace = create_workspace(person(request), payload.name)
    return Status(201, shapes.workspace_json(workspace, Role.OWNER, True))


@router.get("/workspaces/{hexid:workspace_id}", response={200: shapes.WorkspaceOut, **ERRORS})
def read_workspace(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """One workspace."""
    access = _access(request, workspace_id)
    return shapes.workspace_json(access.workspace, access.role, access.can_run_code)


@router.patch("/workspaces/{hexid:workspace_id}", response={200: shapes.WorkspaceOut, **ERRORS})
def rename_workspace(request: HttpRequest, workspace_id: uuid.UUID, payload: shapes.NameInput) -> dict[str, Any]:
    """Rename a workspace."""
    access = _access(request, workspace_id, Role.OWNER)
    access.workspace.name = payload.name
    access.workspace.save(update_fields=["name"])
    return shapes.workspace_json(access.workspace, access.role, access.can_run_code)


@router.get("/workspaces/{hexid:workspace_id}/members", response={200: shapes.MemberList, **ERRORS})
def list_members(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Everybody in the workspace."""
    access = _access(request, workspace_id)
    rows = access.workspace.memberships.select_related("user").order_by("created")
    return items(shapes.member_json(row) for row in rows)


def _member(access: Access, user_id: uuid.UUID) -> Membership:
    row = access.workspace.memberships.select_related("user", "workspace").filter(user_id=user_id).first()
    if row is None:
        raise not_found()
    return row


@router.patch("/workspaces/{hexid:workspace_id}/members/{hexid:user_id}", response={200: shapes.Member, **ERRORS})
def update_member(
    request: HttpRequest, workspace_id: uuid.UUID, user_id: uuid.UUID, payload: shapes.MemberChange
) -> dict[str, Any]:
    """Change a member's role, or whether they may run their own code."""
    row = _member(_access(request, workspace_id, Role.OWNER), user_id)
    return shapes.member_json(change_member(row, role=payload.role, can_run_code=payload.can_run_code))


@router.delete("/workspaces/{hexid:workspace_id}/members/{hexid:user_id}", response={204: None, **ERRORS})
def delete_member(request: HttpRequest, workspace_id: uuid.UUID, user_id: uuid.UUID) -> Status[None]:
    """Take a member out, or leave."""
    access = _access(request, workspace_id)
    if user_id != access.user.pk:
        access.require(Role.OWNER)
    remove_member(_member(access, user_id))
    return Status(204, None)


@router.get("/workspaces/{hexid:workspace_id}/invitations", response={200: shapes.InvitationList, **ERRORS})
def list_invitations(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """Invitations that can still be used."""
    access = _access(request, workspace_id, Role.OWNER)
    rows = access.workspace.invitations.filter(used=None, expires__gt=timezone.now()).order_by("created")
    return items(shapes.invitation_json(row) for row in rows)


@router.post("/workspaces/{hexid:workspace_id}/invitations", response={201: shapes.NewInvitation, **ERRORS})
def add_invitation(
    request: HttpRequest, workspace_id: uuid.UUID, payload: shapes.InvitationInput
) -> Status[dict[str, Any]]:
    """Make an invitation link for one person. ``url`` is shown here and never again."""
    access = _access(request, workspace_id, Role.OWNER)
    row, token = invite(access.workspace, access.user, payload.role, payload.email)
    url = request.build_absolute_uri(reverse("invite", args=[token]))
    return Status(201, {**shapes.invitation_json(row), "url": url})


@router.delete("/invitations/{hexid:invitation_id}", response={204: None, **ERRORS})
def delete_invitation(request: HttpRequest, invitation_id: uuid.UUID) -> Status[None]:
    """Withdraw an invitation."""
    find(Invitation, person(request), invitation_id, Role.OWNER).delete()
    return Status(204, None)


@router.get("/workspaces/{hexid:workspace_id}/projects", response={200: shapes.ProjectList, **ERRORS})
def list_projects(request: HttpRequest, workspace_id: uuid.UUID) -> dict[str, Any]:
    """The projects of a workspace."""
    access = _access(request, workspace_id)
    return items(shapes.project_json(row) for row in access.workspace.projects.all())


@router.post("/workspaces/{hexid:workspace_id}/projects", response={201: shapes.ProjectOut, **ERRORS})
def add_project(request: HttpRequest, workspace_id: uuid.UUID, payload: shapes.NameInput) -> Status[dict[str, Any]]:
    """Make a project."""
    access = _access(request, workspace_id, Role.EDITOR)
    return Status(201, shapes.project_json(Project.objects.create(workspace=access.workspace, name=payload.name)))


@router.get("/projects/{hexid:project_id}", response={200: shapes.ProjectOut, **ERRORS})
def read_project(request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
    """One project."""
    return shapes.project_json(find(Project, person(request), project_id))


@router.patch("/projects/{hexid:project_id}", response={200: shapes.ProjectOut, **ERRORS})
def rename_project(request: HttpRequest, project_id: uuid.UUID, payload: shapes.NameInput) -> dict[str, Any]:
    """Rename a project."""
    row = find(Project, person(request), project_id, Role.EDITOR)
    row.name = payload.name
    row.save(update_fields=["name"])
    return shapes.project_json(row)


@router.delete("/projects/{hexid:project_id}", response={204: None, **ERRORS})
def delete_project(request: HttpRequest, project_id: uuid.UUID) -> Status[None]:
    """Delete a project with its pipelines, runs, models and data, once nothing runs in it."""
    row = find(Project, person(request), project_id, Role.OWNER)
    if row.runs.filter(status__in=["queued", "running"]).exists():
        raise ApiError(409, "Runs of this project are not finished", hint="Cancel them first.")
    row.delete()
    return Status(204, None)
