"""Changes of workspaces and their members that must keep a promise. Called by the API, the shell and ``sample``."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from webapp.accounts.models import User
from webapp.accounts.secrets import keyed_hash, new_token
from webapp.api.errors import ApiError
from webapp.workspaces.models import Invitation, Membership, Project, Role, Workspace

INVITATION_LIFETIME = timedelta(days=7)


def create_workspace(user: User, name: str) -> Workspace:
    """A workspace with its first owner and its first project, named in the language of the moment."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name=name)
        Membership.objects.create(workspace=workspace, user=user, role=Role.OWNER, can_run_code=True)
        Project.objects.create(workspace=workspace, name=_("First project"))
    return workspace


def change_member(row: Membership, *, role: str | None, can_run_code: bool | None) -> Membership:
    """Give a member another role; a workspace never loses its last owner."""
    with transaction.atomic():
        owners = _lock_owners(row.workspace)
        if role is not None and role != Role.OWNER:
            _keep_an_owner(row, owners)
        row.role = role or row.role
        row.can_run_code = row.can_run_code if can_run_code is None else can_run_code
        row.save(update_fields=["role", "can_run_code"])
    return row


def remove_member(row: Membership) -> None:
    """Take a member out; a workspace never loses its last owner."""
    with transaction.atomic():
        _keep_an_owner(row, _lock_owners(row.workspace))
        row.delete()


def invite(workspace: Workspace, by: User, role: str, email: str = "") -> tuple[Invitation, str]:
    """A new invitation and its token, which nobody can see again."""
    token = new_token()
    row = Invitation.objects.create(
        workspace=workspace,
        role=role,
        email=email,
        token_hash=keyed_hash(token),
        expires=timezone.now() + INVITATION_LIFETIME,
        created_by=by,
    )
    return row, token


def find_invitation(token: str) -> Invitation | None:
    """The invitation of a token while it can be used."""
    return (
        Invitation.objects.select_related("workspace")
        .filter(token_hash=keyed_hash(token), used=None, expires__gt=timezone.now())
        .first()
    )


def accept_invitation(invitation: Invitation, user: User) -> bool:
    """Make the user a member; False when somebody else used the invitation first.

    1. Use the invitation up by a conditional UPDATE. 2. Add the membership; a member keeps the role they have.
    """
    with transaction.atomic():
        if not Invitation.objects.filter(pk=invitation.pk, used=None).update(used=timezone.now()):
            return False
        Membership.objects.get_or_create(
            workspace=invitation.workspace,
            user=user,
            defaults={"role": invitation.role, "can_run_code": invitation.role == Role.OWNER},
        )
    return True


def _lock_owners(workspace: Workspace) -> list[Membership]:
    rows = Membership.objects.select_for_update().filter(workspace=workspace, role=Role.OWNER)
    return list(rows)


def _keep_an_owner(row: Membership, owners: list[Membership]) -> None:
    if [owner.pk for owner in owners] == [row.pk]:
        raise ApiError(
            409,
            "{name} is the last owner of this workspace",
            hint="Make another member an owner first.",
            name=row.user.name or row.user.email,
        )
