"""Who can work: workers, their devices, and which of them looks after the others.

Written by the workers' dispatchers, read by the queue page. Times are the database's clock.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from webapp.base import Record


class Worker(Record):
    """One worker process; a restart is a new row."""

    name = models.CharField(max_length=200)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    heartbeat = models.DateTimeField(db_index=True)
    stopped = models.BooleanField(default=False)
    memory_mib = models.PositiveIntegerField(default=0)
    address = models.CharField(max_length=200, default="", blank=True)
    """Where other workers reach it; empty: it takes part in no run on several machines."""

    class Meta:
        ordering: ClassVar = ["name", "created"]

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    """One thing a run can hold as a whole: a GPU, or one of the worker's places for CPU runs."""

    class Type(models.TextChoices):
        CPU = "cpu"
        CUDA = "cuda"

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="devices")
    type = models.CharField(max_length=8, choices=Type.choices)
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)
    memory_mib = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["type", "index"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["worker", "type", "index"], name="device_once_per_worker"),
            models.CheckConstraint(condition=models.Q(type__in=["cpu", "cuda"]), name="device_type_known"),
        ]

    def __str__(self) -> str:
        return f"{self.type}:{self.index}"


class Duty(models.Model):
    """A task that one worker of the cluster does at a time, held by a lease."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name
