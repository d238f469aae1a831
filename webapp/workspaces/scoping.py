"""The manager of every table that belongs to a workspace.

A model says by ``scope`` how to get to its workspace (``"project__workspace"``; empty for the workspace itself);
``visible_to`` is then the only way in which the API and the pages look rows up.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


def scope_of(model: type[models.Model] | models.Model) -> str:
    """How to get from a row to its workspace."""
    scope: str = model.scope  # type: ignore[union-attr]  # every model with this manager has one
    return scope


class ScopedQuerySet(models.QuerySet[M], Generic[M]):
    def visible_to(self, user: Any) -> ScopedQuerySet[M]:
        """Rows of the workspaces in which the user is a member."""
        scope = scope_of(self.model)
        path = f"{scope}__memberships__user" if scope else "memberships__user"
        return self.filter(**{path: user})

    def of_workspace(self, workspace: Any) -> ScopedQuerySet[M]:
        """Rows of one workspace."""
        scope = scope_of(self.model)
        return self.filter(**{scope or "pk": workspace if scope else workspace.pk})


Scoped = models.Manager.from_queryset(ScopedQuerySet)
