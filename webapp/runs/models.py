"""Runs and everything kept about them.

The row of a run *is* the queue: a Celery message is only a bell. Every change of a run's status is a conditional
UPDATE (:mod:`webapp.runs.transitions`), every write of an attempt carries its fencing number (``epoch``), and the
database refuses impossible states. What is written often (``head``) lies apart from what is large (the document).
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.base import Record
from webapp.queue.models import Device, Worker
from webapp.workspaces.scoping import Scoped


class Status(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


class Run(Record):
    """One run: state, lease and the head of its event log."""

    scope: ClassVar[str] = "project__workspace"

    project = models.ForeignKey("workspaces.Project", on_delete=models.CASCADE, related_name="runs")
    pipeline = models.ForeignKey("pipelines.Pipeline", on_delete=models.SET_NULL, null=True, related_name="runs")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    tags = models.CharField(max_length=1_000, default="", blank=True)
    """Words between commas, with one at both ends."""
    notes = models.TextField(default="", blank=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    queue = models.CharField(max_length=8, choices=[("cpu", "cpu"), ("gpu", "gpu")], default="cpu")
    shares_device = models.BooleanField(default=False)
    nodes = models.PositiveSmallIntegerField(default=1)
    """Machines that it needs at the same time."""
    devices = models.PositiveSmallIntegerField(default=1)
    """Devices that it needs on each, held as a whole."""
    epoch = models.PositiveIntegerField(default=0)
    """Number of the current attempt; a write that carries an older one changes nothing."""
    lost = models.PositiveSmallIntegerField(default=0)
    head = models.BigIntegerField(default=0)
    """``seq`` of the last event."""
    available = models.DateTimeField()
    """Not to be started before."""
    cancel_requested = models.DateTimeField(null=True)
    worker = models.ForeignKey(Worker, on_delete=models.SET_NULL, null=True, related_name="runs")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="runs")
    lease_until = models.DateTimeField(null=True)
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    plan = models.JSONField(null=True)
    error = models.JSONField(null=True)

    objects = Scoped()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "number"], name="run_number_once_per_project"),
            models.UniqueConstraint(
                fields=["device"], condition=Q(status="running", shares_device=False), name="run_holds_device_alone"
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="run_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=ENDED, finished__isnull=False)
                | (~Q(status__in=ENDED) & Q(finished__isnull=True)),
                name="run_finished_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(status="running", lease_until__isnull=False, started__isnull=False, epoch__gte=1)
                | (~Q(status="running") & Q(lease_until__isnull=True)),
                name="run_leased_when_running",
            ),
            models.CheckConstraint(condition=Q(status="failed") | Q(error__isnull=True), name="run_error_when_failed"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-created"], name="run_newest"),
            models.Index(fields=["status", "queue", "created"], name="run_waiting"),
            models.Index(fields=["pipeline", "-created"], name="run_of_pipeline"),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.number}"

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class Seat(models.Model):
    """A device that a run holds together with others (:mod:`webapp.runs.seats`)."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="seats")
    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="seats")
    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="seat")
    node = models.PositiveSmallIntegerField(null=True)
    """Number of its machine in the run, from 0; None while others are missing."""
    epoch = models.PositiveIntegerField(default=0)
    """The attempt that it is part of; 0 while others are missing."""
    endpoint = models.CharField(max_length=200, default="", blank=True)
    """Where the machines meet."""

    def __str__(self) -> str:
        return f"{self.device} for {self.run_id}"


class RunSpec(models.Model):
    """What a run was asked to do; never changes."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="spec")
    document = models.JSONField()
    targets = models.JSONField(null=True)
    rerun_from = models.CharField(max_length=64, null=True)
    plan = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"spec of {self.run_id}"


class RunSummary(models.Model):
    """One run's line in a table of runs: parameters and last metrics by address."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="summary")
    config = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"summary of {self.run_id}"


class RunValue(models.Model):
    """One cell of the table of runs, so that filtering and sorting use an index."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="values")
    project = models.ForeignKey("workspaces.Project", on_delete=models.CASCADE, related_name="+", db_index=False)
    address = models.CharField(max_length=200)
    number = models.FloatField(null=True)
    text = models.CharField(max_length=200, null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "address"], name="value_once_per_run")]
        indexes: ClassVar = [models.Index(fields=["project", "address", "number"], name="value_number")]

    def __str__(self) -> str:
        return self.address


class Attempt(models.Model):
    """One try to carry out a run, on one worker."""

    class Outcome(models.TextChoices):
        RUNNING = "running"
        ENDED = "ended"
        LOST = "lost"
        RETURNED = "returned"  # the worker was asked to stop; the run goes on elsewhere

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    worker = models.ForeignKey(Worker, on_delete=models.SET_NULL, null=True, related_name="+")
    device = models.CharField(max_length=200)
    started = models.DateTimeField()
    ended = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.RUNNING)
    reason = models.CharField(max_length=400, default="", blank=True)
    read = models.BigIntegerField(default=0)
    """How far into its event file everything is stored."""

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "number"], name="attempt_number_once_per_run")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.run_id}"


class RunEvent(models.Model):
    """One event of a run's log. ``seq`` is taken under the row lock of the run, so it has no gaps."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    seq = models.BigIntegerField()
    epoch = models.PositiveIntegerField()
    kind = models.CharField(max_length=24)
    payload = models.TextField()
    """The event as JSON text."""
    metric = models.CharField(max_length=200, null=True)
    first = models.BigIntegerField(null=True)
    """Index in its metric of the first point."""

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["run", "metric", "first"], condition=Q(metric__isnull=False), name="event_points"),
            models.Index(fields=["run", "kind", "seq"], condition=Q(metric__isnull=True), name="event_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.seq}"


class BlockState(models.Model):
    """What a run's events say about one block now."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="blocks")
    block = models.CharField(max_length=64)
    position = models.PositiveIntegerField(default=0)
    data = models.JSONField()

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "block"], name="state_once_per_block")]

    def __str__(self) -> str:
        return self.block


class Series(models.Model):
    """One metric of a run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="series", db_index=False)
    name = models.CharField(max_length=200)
    count = models.BigIntegerField()
    last_step = models.BigIntegerField()
    last_value = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "name"], name="series_once_per_run")]

    def __str__(self) -> str:
        return self.name


class SeriesPage(models.Model):
    """256 buckets of one level of a metric's pyramid (:mod:`webapp.supervisor.pyramid`)."""

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="pages", db_index=False)
    level = models.PositiveSmallIntegerField()
    page = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["series", "level", "page"], name="page_once")]

    def __str__(self) -> str:
        return f"level {self.level} page {self.page}"


class CacheEntry(Record):
    """What a block gave for one cache key."""

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=128)
    components = models.JSONField()
    outputs = models.JSONField()
    metrics = models.JSONField()
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    """The run that made it, whose curves tell how."""
    block = models.CharField(max_length=64, default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "key"], name="cache_key_once_per_workspace")
        ]

    def __str__(self) -> str:
        return self.key[:19]


class BlockHistory(models.Model):
    """What a block's key was made of when it last ran in a place (pipeline or project): explains the next miss."""

    place = models.UUIDField()
    block = models.CharField(max_length=64)
    key = models.CharField(max_length=128)
    components = models.JSONField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["place", "block"], name="history_once_per_block")]

    def __str__(self) -> str:
        return self.block
