"""Who may touch which object: the one place that looks rows up for a person.

Called by every endpoint and page with an id in its URL. An object of another workspace answers as if it did not exist;
an object that the person can see but may not change answers 403.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.db import models

from webapp.accounts.models import User
from webapp.api.errors import forbidden, not_found
from webapp.workspaces.models import Membership, Project, Role, Workspace
from webapp.workspaces.scoping import scope_of

M = TypeVar("M", bound=models.Model)
RANK = {Role.VIEWER: 0, Role.EDITOR: 1, Role.OWNER: 2}


@dataclass(frozen=True)
class Access:
    """What a person may do in one workspace."""

    user: User
    workspace: Workspace
    role: str
    can_run_code: bool

    def allows(self, role: str) -> bool:
        """True when the person has this role or a higher one."""
        return RANK[Role(self.role)] >= RANK[Role(role)]

    def require(self, role: str) -> Access:
        """Itself, or 403."""
        if not self.allows(role):
            raise forbidden(role)
        return self


def person(request: Any) -> User:
    """The person behind a request that got past ``DenyByDefault``."""
    return cast(User, request.user)


def access_to(workspace: Workspace, user: User) -> Access:
    """What the user may do in the workspace; 404 for everybody else."""
    row = Membership.objects.filter(workspace=workspace, user=user).first()
    if row is None:
        raise not_found()
    return Access(user, workspace, row.role, row.can_run_code or row.role == Role.OWNER)


def workspace_of(row: models.Model) -> Workspace:
    """The workspace a row belongs to."""
    found: Any = row
    for step in filter(None, scope_of(row).split("__")):
        found = getattr(found, step)
    return cast(Workspace, found)


def find(model: type[M], user: User, pk: uuid.UUID | str, role: str = Role.VIEWER) -> M:
    """The row with this id, when the user is a member of its workspace and has the role there."""
    return find_with_access(model, user, pk, role)[0]


def find_with_access(model: type[M], user: User, pk: uuid.UUID | str, role: str = Role.VIEWER) -> tuple[M, Access]:
    """The row and what the user may do with it."""
    scope = scope_of(model)
    rows = model.objects.visible_to(user)  # type: ignore[attr-defined]  # the manager of every scoped model
    if scope:
        rows = rows.select_related(scope)
    row = rows.filter(pk=pk).first()
    if row is None:
        raise not_found()
    return row, access_to(workspace_of(row), user).require(role)


def projects_of(user: User) -> models.QuerySet[Project]:
    """Every project the user can open."""
    return Project.objects.visible_to(user).select_related("workspace")
