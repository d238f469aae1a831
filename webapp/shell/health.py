"""``/healthz``: 200 once web, database, broker and a worker are up, else 503 with what is missing.

Called by ``deepseek up``, probes and load balancers. Says nothing about anybody's data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from webapp.queue.models import Worker

HEARTBEAT_MAX_AGE = timedelta(seconds=20)


def healthz(request: HttpRequest) -> JsonResponse:
    """Which parts answer."""
    parts = {name: _try(check) for name, check in CHECKS.items()}
    missing = [name for name, problem in parts.items() if problem]
    body = {
        "status": "ok" if not missing else "unavailable",
        "missing": missing,
        "parts": {name: problem or "ok" for name, problem in parts.items()},
    }
    response = JsonResponse(body, status=503 if missing else 200)
    # Whoever asks learns it; in the log, a start that takes two seconds would be a page of errors.
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django's own mark
    return response


def _try(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
    return ""


def _broker() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()
    return ""


def _worker() -> str:
    fresh = timezone.now() - HEARTBEAT_MAX_AGE
    return "" if Worker.objects.filter(stopped=False, heartbeat__gte=fresh).exists() else "no worker"


CHECKS: dict[str, Callable[[], str]] = {"web": str, "database": _database, "broker": _broker, "worker": _worker}
