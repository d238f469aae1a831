"""Duties that one worker of the cluster does at a time, taken and kept by a conditional UPDATE.

Called by dispatchers. A duty whose holder died is free again when its time is over by the database's clock.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q

from webapp.queue.models import Duty
from webapp.runs.clock import in_seconds, now

HOLD_S = 15.0


def take(name: str, owner: UUID) -> bool:
    """Take or keep a duty; False when somebody else has it."""
    mine = Duty.objects.filter(Q(owner=owner) | Q(owner=None) | Q(until__lt=now()), name=name)
    if mine.update(owner=owner, until=in_seconds(HOLD_S)):
        return True
    if not Duty.objects.filter(name=name).exists():
        Duty.objects.bulk_create([Duty(name=name)], ignore_conflicts=True)
        return bool(mine.update(owner=owner, until=in_seconds(HOLD_S)))
    return False


def lay_down(name: str, owner: UUID) -> None:
    """Give a duty back at once."""
    Duty.objects.filter(name=name, owner=owner).update(owner=None, until=None)
