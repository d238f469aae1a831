"""Answers a repeated request as it was answered the first time (``Idempotency-Key``).

Called by endpoints that make something. The answer and what was made are one transaction, so a key whose answer is
known is a thing that exists exactly once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from ninja import Status

from webapp.api.errors import ApiError
from webapp.api.models import IdempotentAnswer
from webapp.workspaces.access import person

HEADER = "Idempotency-Key"
MAX_KEY = 100


def idempotent(request: HttpRequest, work: Callable[[], Status[Any]]) -> Status[Any]:
    """Do the work once for a key; without a key, every time.

    1. The first request with a key inserts its row, does the work and writes the answer, in one transaction.
    2. A repeated one waits for that transaction, finds the row and gets the stored answer.
    3. The same key with another body is a mistake of the caller: 422.

    Raises
    ------
    ApiError
        422 for a key that is too long or was used for another request.
    """
    key = request.headers.get(HEADER, "")
    if not key:
        return work()
    if len(key) > MAX_KEY:
        raise ApiError(422, "The Idempotency-Key has at most {most} characters", most=MAX_KEY)
    identity = {"user": person(request), "path": request.path[:200], "key": key}
    digest = hashlib.sha256(request.body).hexdigest()
    known = IdempotentAnswer.objects.filter(**identity).first()
    if known is None:
        try:
            with transaction.atomic():
                row = IdempotentAnswer.objects.create(**identity, request_hash=digest)
                answer = work()
                IdempotentAnswer.objects.filter(pk=row.pk).update(
                    status=answer.status_code, body=json.loads(json.dumps(answer.value, default=str))
                )
                return answer
        except IntegrityError:
            known = IdempotentAnswer.objects.filter(**identity).first()
            if known is None:
                raise
    if known.request_hash != digest:
        raise ApiError(422, "This Idempotency-Key was used for another request", hint="Use a new key.")
    return Status(known.status, known.body)
