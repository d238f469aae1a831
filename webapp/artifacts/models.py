"""Which artifacts a workspace owns, the files it uploaded, the models it keeps, and the jobs that read them.

The bytes lie in the store (:mod:`webapp.artifacts.store`), shared by all workspaces and named by their hash; a row
here is the right to read them.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.base import Record
from webapp.workspaces.scoping import Scoped


class Artifact(Record):
    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="artifacts")
    digest = models.CharField(max_length=71)
    kind = models.CharField(max_length=40)
    meta = models.JSONField()
    size = models.BigIntegerField()

    scope: ClassVar[str] = "workspace"
    objects = Scoped()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "digest"], name="artifact_once_per_workspace")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest[:19]}"


class Job(Record):
    """A small task for the sandbox: look at an upload, or try a model on a file."""

    class Kind(models.TextChoices):
        INSPECT = "inspect"
        PREDICT = "predict"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    input = models.JSONField()
    result = models.JSONField(null=True)
    error = models.JSONField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)

    scope: ClassVar[str] = "workspace"
    objects = Scoped()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status="running", lease_until__isnull=False)
                | (~models.Q(status="running") & models.Q(lease_until__isnull=True)),
                name="job_leased_when_running",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["status", "created"], name="job_waiting")]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"


class DataFile(Record):
    """An uploaded file, as the inspection understands it and as the person corrected it."""

    class Status(models.TextChoices):
        INSPECTING = "inspecting"
        READY = "ready"
        FAILED = "failed"

    project = models.ForeignKey("workspaces.Project", on_delete=models.CASCADE, related_name="data_files")
    name = models.CharField(max_length=200)
    filename = models.CharField(max_length=255)
    kind = models.CharField(max_length=10, blank=True, default="")
    size = models.BigIntegerField()
    digest = models.CharField(max_length=71)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.INSPECTING)
    options = models.JSONField(default=dict)
    inspection = models.JSONField(null=True)
    error = models.JSONField(null=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    scope: ClassVar[str] = "project__workspace"
    objects = Scoped()

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.name


class RegisteredModel(Record):
    """A model that somebody gave a name; it keeps its artifact, whatever becomes of the run."""

    project = models.ForeignKey("workspaces.Project", on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=71)
    notes = models.TextField(default="", blank=True)
    run = models.ForeignKey("runs.Run", on_delete=models.SET_NULL, null=True, related_name="+")
    block = models.CharField(max_length=64, blank=True, default="")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    scope: ClassVar[str] = "project__workspace"
    objects = Scoped()

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.name
