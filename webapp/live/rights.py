"""Whether a socket may still listen: asked again every few seconds, for all sockets of a person at once.

Called by the consumers. Logging out, losing the membership or the account closes a socket within five seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from webapp.accounts.models import User
from webapp.workspaces.models import Membership

CHECK_S = 3.0


@dataclass(frozen=True)
class Ticket:
    """Who listens to what."""

    user: UUID
    session: str | None
    password: str
    workspace: UUID


_known: dict[Ticket, tuple[float, bool]] = {}


def ticket_of(scope: Mapping[str, Any], workspace_id: UUID) -> Ticket:
    """The ticket of a socket that was just accepted."""
    session = scope.get("session")
    key = session.session_key if session is not None and SESSION_KEY in session else None
    user = scope["user"]
    return Ticket(user.pk, key, user.password, workspace_id)


async def may_listen(ticket: Ticket) -> bool:
    """True while the session, the account and the membership are what they were."""
    at, answer = _known.get(ticket, (0.0, False))
    if time.monotonic() - at < CHECK_S / 2:
        return answer
    answer = bool(await _ask(ticket))
    if len(_known) > 10_000:
        _known.clear()
    _known[ticket] = (time.monotonic(), answer)
    return answer


@database_sync_to_async
def _ask(ticket: Ticket) -> bool:
    if ticket.session is not None:
        alive = Session.objects.filter(session_key=ticket.session, expire_date__gt=timezone.now())
        if not alive.exists():
            return False
    if not User.objects.filter(pk=ticket.user, is_active=True, password=ticket.password).exists():
        return False
    member: bool = Membership.objects.filter(user_id=ticket.user, workspace_id=ticket.workspace).exists()
    return member
