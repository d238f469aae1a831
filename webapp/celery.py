"""The Celery application: bells and short jobs. Nothing that must not be lost lies in the broker.

Started as ``celery -A webapp.celery worker -Q cpu,gpu,control``. The rows of runs are the queue; a message only
says "look". The worker is one process with threads: training runs in processes of its own, started by the
dispatcher (:mod:`webapp.supervisor.dispatcher`), never in a forked copy of the worker, and never takes one of
Celery's threads, so control messages and jobs are always heard.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any
from uuid import UUID

from celery import Celery
from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down
from kombu.exceptions import KombuError, OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

log = logging.getLogger(__name__)
VISIBILITY_S = 900
"""Longer than any task; a message that was taken and not answered comes back after that time."""

MAX_WAITING = 1_000
QUIET_S = 2.0


def _broker_url() -> str:
    from django.conf import settings

    url = str(settings.REDIS_URL)
    if url.startswith("unix:"):
        return f"redis+socket:{url.removeprefix('unix:')}?virtual_host=0"
    return url


app = Celery("studio")
app.conf.update(
    broker_url=_broker_url(),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_S,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": True,
    },
    visibility_timeout=VISIBILITY_S,
    result_backend=None,
    task_ignore_result=True,
    task_serializer="json",
    result_serializer="json",
    event_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
    task_default_queue="control",
    task_queues=None,
    task_create_missing_queues=True,
    task_routes={"runs.look": {"queue": "control"}, "artifacts.job": {"queue": "cpu"}},
    worker_prefetch_multiplier=1,
    worker_pool="threads",
    worker_concurrency=4,
    worker_enable_remote_control=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # threads cannot be cancelled; tasks are idempotent
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_send_task_events=False,
    enable_utc=True,
    timezone="UTC",
)


@app.task(name="runs.look")
def look() -> None:
    """The bell: there may be a run to start, or one to cancel."""
    from webapp.supervisor.dispatcher import current

    dispatcher = current()
    if dispatcher is not None:
        dispatcher.wake()


@app.task(name="artifacts.job")
def run_job(job_id: str) -> None:
    """Inspect an upload or try a model; the job's row decides who really does it."""
    from webapp.artifacts import jobs

    jobs.run_job(UUID(job_id))


def ring_runs() -> None:
    """Wake the workers; a dead broker is no error, because they look by themselves every two seconds."""
    _ringer.ring("runs.look")


def ring_job(job_id: UUID) -> None:
    """Wake a worker for a job; the reconciler repeats what is lost."""
    _ringer.ring("artifacts.job", str(job_id))


class Ringer:
    """Sends messages from a thread of its own: a dead broker holds up no request. Equal ones in wait become one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, ...], None] = {}
        self._news = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self, name: str, *args: str) -> None:
        """Send soon; returns at once."""
        with self._lock:
            if len(self._waiting) < MAX_WAITING:
                self._waiting[name, *args] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="ringer", daemon=True)
                self._thread.start()
        self._news.set()

    def _send_all(self) -> None:
        failing = False
        while True:
            self._news.wait()
            self._news.clear()
            with self._lock:
                batch, self._waiting = list(self._waiting), {}
            try:
                for name, *args in batch:
                    app.send_task(name, args=args, retry=False)
                failing = False
            except (OperationalError, KombuError, OSError) as error:
                if not failing:
                    log.warning("The broker does not answer, workers look by themselves: %s", error)
                failing = True
                time.sleep(QUIET_S)


_ringer = Ringer()


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Django has configured logging already."""


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    from webapp.supervisor.dispatcher import start

    queues = {queue.name for queue in sender.task_consumer.queues}
    start(name=sender.hostname, queues=sorted(queues & {"cpu", "gpu"}))


@worker_shutting_down.connect
def _stop_soon(**_: Any) -> None:
    from webapp.supervisor.dispatcher import current

    dispatcher = current()
    if dispatcher is not None:
        dispatcher.stop_soon()


@worker_shutdown.connect
def _stop(**_: Any) -> None:
    from webapp.supervisor.dispatcher import current

    dispatcher = current()
    if dispatcher is not None:
        dispatcher.stop()
