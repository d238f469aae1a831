"""Workspaces and who may do what in them; projects group what is made there."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.base import Record
from webapp.workspaces.scoping import Scoped


class Role(models.TextChoices):
    """A viewer sees, an editor changes, an owner also decides about the members."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


class Workspace(Record):
    name = models.CharField(max_length=80)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="workspaces")

    scope: ClassVar[str] = ""
    objects = Scoped()

    def __str__(self) -> str:
        return self.name


class Membership(Record):
    """``can_run_code``: may start runs with blocks that contain a person's own program."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role.choices)
    can_run_code = models.BooleanField(default=False)

    scope: ClassVar[str] = "workspace"
    objects = Scoped()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Invitation(Record):
    """A link that makes its bearer a member, once, until it expires."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=6, choices=Role.choices)
    email = models.EmailField(blank=True, default="")
    token_hash = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    used = models.DateTimeField(null=True)

    scope: ClassVar[str] = "workspace"
    objects = Scoped()

    def __str__(self) -> str:
        return f"invitation as {self.role}"


class Project(Record):
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=80)

    scope: ClassVar[str] = "workspace"
    objects = Scoped()

    class Meta:
        ordering: ClassVar = ["created"]

    def __str__(self) -> str:
        return self.name
