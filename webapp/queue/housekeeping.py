"""Removes what has served its time: rows that only once meant something, and bytes that nothing needs.

Called every few hours by the one dispatcher that holds the duty, in a thread of its own. Safe to do twice at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from webapp.accounts.models import LoginLink
from webapp.api.models import IdempotentAnswer
from webapp.artifacts.models import Job
from webapp.artifacts.sweep import sweep
from webapp.workspaces.models import Invitation

log = logging.getLogger(__name__)
FIRST_AFTER_S = 600.0
EVERY_S = 6 * 3600.0
KEEP_ANSWERS = timedelta(days=7)
KEEP_LINKS = timedelta(days=7)
KEEP_JOBS = timedelta(days=30)


def tidy() -> None:
    """One round. A failure of one part holds up no other."""
    parts: tuple[Callable[[], object], ...] = (forget_answers, forget_links, forget_jobs, forget_sessions, sweep)
    try:
        for part in parts:
            try:
                part()
            except Exception:
                log.exception("A part of the housekeeping failed: %s", part.__name__)
    finally:
        connection.close()


def forget_answers() -> None:
    """Answers to requests that nobody repeats any more."""
    IdempotentAnswer.objects.filter(created__lt=timezone.now() - KEEP_ANSWERS).delete()


def forget_links() -> None:
    """Login links and invitations that were used or have expired, some days later."""
    before = timezone.now() - KEEP_LINKS
    over = Q(expires__lt=before) | Q(used__lt=before)
    LoginLink.objects.filter(over).delete()
    Invitation.objects.filter(over).delete()


def forget_jobs() -> None:
    """Inspections and tries that ended long ago; what they found out lies where it belongs."""
    Job.objects.filter(finished__lt=timezone.now() - KEEP_JOBS).delete()


def forget_sessions() -> None:
    """Logins that have expired."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
