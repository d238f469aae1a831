"""The database's clock: the only one that leases are measured by, so no host's clock can end one early."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import Combinable
from django.db.models.functions import Now


def now() -> Now:
    """The present moment, on the database."""
    return Now()


def in_seconds(seconds: float) -> Combinable:
    """A moment from now, on the database; negative: ago."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
