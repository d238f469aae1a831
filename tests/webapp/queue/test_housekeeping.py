"""Rows that only once meant something go; the others stay."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from webapp.accounts.models import LoginLink
from webapp.api.models import IdempotentAnswer
from webapp.artifacts.models import Job
from webapp.queue import housekeeping
from webapp.workspaces.models import Invitation

pytestmark = pytest.mark.django_db


def days(number: float) -> Any:
    return timezone.now() + timedelta(days=number)


def test_answers_to_repeated_requests_are_kept_for_a_week(people: Any) -> None:
    for key, age in (("old", -8), ("young", -6)):
        IdempotentAnswer.objects.create(user=people.owner, path="/runs", key=key, request_hash="0")
        IdempotentAnswer.objects.filter(key=key).update(created=days(age))

    housekeeping.forget_answers()

    assert [row.key for row in IdempotentAnswer.objects.all()] == ["young"]


@pytest.mark.parametrize(
    ("expires", "used", "stays"),
    [(1, None, True), (-6, None, True), (-8, None, False), (1, -6, True), (1, -8, False), (-8, -8, False)],
)
def test_links_go_a_week_after_they_were_used_or_expired(
    people: Any, expires: float, used: float | None, stays: bool
) -> None:
    moments = {"expires": days(expires), "used": None if used is None else days(used)}
    LoginLink.objects.create(user=people.owner, token_hash="a", **moments)
    Invitation.objects.create(
        workspace=people.workspace, role="viewer", token_hash="b", created_by=people.owner, **moments
    )

    housekeeping.forget_links()

    assert LoginLink.objects.filter(token_hash="a").exists() is stays
    assert Invitation.objects.filter(token_hash="b").exists() is stays


def test_jobs_that_wait_or_run_stay_however_old(people: Any) -> None:
    ended = {"status": Job.Status.DONE, "finished": days(-31)}
    for fields in (ended, {"status": Job.Status.DONE, "finished": days(-29)}, {}):
        Job.objects.create(workspace=people.workspace, kind=Job.Kind.INSPECT, input={}, **fields)
    Job.objects.filter(finished=None).update(created=days(-300))

    housekeeping.forget_jobs()

    assert sorted(str(row.status) for row in Job.objects.all()) == ["done", "queued"]


def test_a_part_that_fails_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("the disk went away")

    done: list[str] = []
    monkeypatch.setattr(housekeeping, "forget_answers", fail)
    monkeypatch.setattr(housekeeping, "sweep", lambda: done.append("sweep"))
    monkeypatch.setattr(housekeeping, "connection", type("Kept", (), {"close": lambda: None}))

    housekeeping.tidy()

    assert done == ["sweep"]
