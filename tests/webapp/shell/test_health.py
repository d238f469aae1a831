"""``/healthz`` says what is up, to anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from webapp.queue.models import Worker
from webapp.shell import health

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker() -> Worker:
    return Worker.objects.create(name="w", host="h", pid=1, queues=["cpu"], heartbeat=timezone.now())


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "broker", str)


def ask() -> tuple[int, dict[str, Any]]:
    answer = Client(HTTP_HOST="localhost").get("/healthz")
    return answer.status_code, answer.json()


def test_all_up(worker: Worker, broker: None) -> None:
    assert ask() == (
        200,
        {
            "status": "ok",
            "missing": [],
            "parts": {"web": "ok", "database": "ok", "broker": "ok", "worker": "ok"},
        },
    )


def test_no_worker(broker: None) -> None:
    status, body = ask()

    assert (status, body["missing"]) == (503, ["worker"])


@pytest.mark.parametrize("change", [{"stopped": True}, {"heartbeat": timezone.now() - timedelta(minutes=2)}])
def test_a_stopped_or_silent_worker_does_not_count(worker: Worker, broker: None, change: dict[str, Any]) -> None:
    Worker.objects.update(**change)

    assert ask()[1]["missing"] == ["worker"]


def test_no_broker(worker: Worker, settings: Any, tmp_path: Any) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"

    status, body = ask()

    assert (status, body["missing"]) == (503, ["broker"])
    assert str(tmp_path) not in str(body)


def test_no_database(broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OperationalError("password=secret")

    monkeypatch.setitem(health.CHECKS, "database", broken)
    monkeypatch.setitem(health.CHECKS, "worker", str)

    status, body = ask()

    assert (status, body["missing"], body["parts"]["database"]) == (503, ["database"], "OperationalError")


def test_a_broker_that_hangs_is_missing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> str:
        raise redis.TimeoutError

    monkeypatch.setitem(health.CHECKS, "broker", hang)

    assert ask()[1]["missing"] == ["broker"]
