"""What every table has: an unguessable id and the time it was made; and how an id looks in a path.

Used by the models of all apps, and by whoever declares paths.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.urls import register_converter
from django.utils import timezone


class Record(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True


class HexId:
    """URL converter ``<hexid:name>``: an id as 32 lower-case hexadecimal digits."""

    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(hex=value)

    def to_url(self, value: uuid.UUID | str) -> str:
        return value.hex if isinstance(value, uuid.UUID) else value


register_converter(HexId, "hexid")
