"""Pipelines, the log of their operations, and their named versions."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.base import Record
from webapp.workspaces.scoping import Scoped


class Pipeline(Record):
    """A pipeline document. ``version`` counts its changes; the name is the document's."""

    project = models.ForeignKey("workspaces.Project", on_delete=models.CASCADE, related_name="pipelines")
    name = models.CharField(max_length=200)
    version = models.PositiveIntegerField(default=1)
    document = models.JSONField()
    updated = models.DateTimeField()

    scope: ClassVar[str] = "project__workspace"
    objects = Scoped()

    class Meta:
        ordering: ClassVar = ["-updated"]

    def __str__(self) -> str:
        return self.name


class PipelineOperation(models.Model):
    """One change, never changed itself: the operations that led from ``version - 1`` to ``version``."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="operations")
    version = models.PositiveIntegerField()
    op_id = models.CharField(max_length=64)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    ops = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["version"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["pipeline", "version"], name="one_change_a_version"),
            models.UniqueConstraint(fields=["pipeline", "op_id"], name="a_change_happens_once"),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


class PipelineVersion(Record):
    """A version that somebody gave a name, kept whole."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    document = models.JSONField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    scope: ClassVar[str] = "pipeline__project__workspace"
    objects = Scoped()

    class Meta:
        ordering: ClassVar = ["-version", "-created"]

    def __str__(self) -> str:
        return self.name
