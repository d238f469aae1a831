"""Slows down guessing of passwords: a limit per account and a wider one per address. Called by the login page."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from webapp.accounts.models import LoginFailures
from webapp.accounts.secrets import keyed_hash

PER_ADDRESS = 5  # several people may sit behind one address


def is_blocked(email: str, address: str) -> bool:
    """True when the account or the address has failed too often within the window."""
    start = timezone.now() - timedelta(seconds=settings.LOGIN_WINDOW_S)
    counts = dict(
        LoginFailures.objects.filter(subject_hash__in=_limits(email, address), since__gt=start).values_list(
            "subject_hash", "count"
        )
    )
    return any(counts.get(subject, 0) >= limit for subject, limit in _limits(email, address).items())


def note_failure(email: str, address: str) -> None:
    """Count one failed login."""
    now = timezone.now()
    start = now - timedelta(seconds=settings.LOGIN_WINDOW_S)
    with transaction.atomic():
        for subject in _limits(email, address):
            LoginFailures.objects.get_or_create(subject_hash=subject)
            row = LoginFailures.objects.filter(pk=subject)
            if not row.filter(since__gt=start).update(count=F("count") + 1):
                row.update(count=1, since=now)
        LoginFailures.objects.filter(since__lt=start).delete()


def note_success(email: str) -> None:
    """Forget the failures of an account whose owner got in."""
    LoginFailures.objects.filter(subject_hash=keyed_hash(f"account {email}")).delete()


def _limits(email: str, address: str) -> dict[str, int]:
    return {
        keyed_hash(f"account {email}"): settings.LOGIN_ATTEMPTS,
        keyed_hash(f"address {address}"): settings.LOGIN_ATTEMPTS * PER_ADDRESS,
    }
