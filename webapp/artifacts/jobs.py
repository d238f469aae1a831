"""Short tasks on files that somebody sent, each a row: look at an upload, try a model on a file.

Called by the API (:func:`create_job`), by Celery (:func:`run_job`) and by the reconciler (:func:`waiting_jobs`). The
work itself happens inside the sandbox; what it leaves is read as data of a stranger.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from webapp import bridge
from webapp.accounts.models import User
from webapp.artifacts import store
from webapp.artifacts.models import DataFile, Job
from webapp.live.bell import project_changed
from webapp.workspaces.models import Workspace

log = logging.getLogger(__name__)
MODULES = {Job.Kind.INSPECT: "engine.inspect", Job.Kind.PREDICT: "engine.runtime.predict"}
TIMEOUT_S = 240
LEASE = timedelta(seconds=TIMEOUT_S + 60)
MAX_TRIES = 3
MAX_RESULT_BYTES = 8 * 2**20
OBJECTS = ("detected", "options")
"""Keys of a result that are objects wherever they occur."""


def create_job(workspace: Workspace, user: User, kind: str, input_: Mapping[str, Any]) -> Job:
    """A job in the queue; the bell rings after the commit.

    ``input_`` has ``file`` (digest of the uploaded file), ``filename`` and what the module reads beside them.
    """
    from webapp.celery import ring_job

    job = Job.objects.create(workspace=workspace, user=user, kind=kind, input=dict(input_))
    transaction.on_commit(lambda: ring_job(job.pk))
    return job


def waiting_jobs() -> list[uuid.UUID]:
    """Jobs that nobody works on: new ones, and those whose worker died."""
    free = Q(status=Job.Status.QUEUED) | Q(status=Job.Status.RUNNING, lease_until__lt=timezone.now())
    return list(Job.objects.filter(free).order_by("created").values_list("pk", flat=True)[:100])


def run_job(job_id: uuid.UUID) -> None:
    """Do a job, unless somebody else does.

    1. Take it by a conditional UPDATE. 2. Work in the sandbox. 3. Write the result, if the row is still ours.
    """
    now = timezone.now()
    free = Q(status=Job.Status.QUEUED) | Q(status=Job.Status.RUNNING, lease_until__lt=now)
    taken = Job.objects.filter(free, pk=job_id).update(
        status=Job.Status.RUNNING, lease_until=now + LEASE, tries=F("tries") + 1
    )
    if not taken:
        return
    job = Job.objects.select_related("workspace").get(pk=job_id)
    if job.tries > MAX_TRIES:
        _finish(job, None, _words("The file brought down the worker {count} times", count=MAX_TRIES))
        return
    try:
        result = _work(job)
    except Exception as error:  # a boundary: a job always ends
        log.exception("job %s", job_id)
        _finish(job, None, bridge.error_json(error))
        return
    wrong = result.pop("error", None)
    _finish(job, None if wrong else result, wrong if isinstance(wrong, dict) else None)


def _work(job: Job) -> dict[str, Any]:
    from webapp.supervisor.tools import run_tool

    folder = Path(settings.HOME) / "jobs" / f"{job.pk.hex}-{job.tries}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "input").mkdir(parents=True)
    try:
        name = "file" + Path(job.input["filename"]).suffix.lower()[:12]
        content = store.manifest(job.input["file"])["files"]["content"]["sha256"]
        shutil.copyfile(store.local_blob(content), folder / "input" / name)
        if "model" in job.input:
            _stage(job.input["model"], bridge.ArtifactStore(folder / "store"))
        (folder / "job.json").write_text(json.dumps({**job.input, "file": f"input/{name}"}))
        ended = run_tool(["-m", MODULES[Job.Kind(job.kind)], str(folder)], folder=folder, timeout_s=TIMEOUT_S)
        if ended.timed_out:
            return {"error": _words("Reading the file took longer than {seconds} s", seconds=TIMEOUT_S)}
        if ended.out_of_memory:
            return {"error": _words("The file needs more memory than there is", hint="Use a smaller file.")}
        return _read_result(folder / "result.json", ended.log_tail)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(digest: str, target: bridge.ArtifactStore) -> None:
    manifest = store.manifest(digest)
    for sha256 in [digest[7:], *(entry["sha256"] for entry in manifest["files"].values())]:
        place = target.blob_path(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.local_blob(sha256), place)
    for ref in manifest["refs"]:
        _stage(ref, target)


def _read_result(path: Path, tail: str) -> dict[str, Any]:
    """What the tool left, read as a stranger's: a plain small file with a JSON object."""
    try:
        # Without O_NONBLOCK a named pipe would hold us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            is_plain = stat.S_ISREG(os.fstat(handle).st_mode)
            value = json.loads(stream.read(MAX_RESULT_BYTES + 1)) if is_plain else None
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(value.get(key, {}), dict) for key in OBJECTS):
        log.warning("a job left no result: %s", tail)
        return {"error": _words("The file could not be read", hint="The server's log says why.")}
    return value


def _words(template: str, hint: str | None = None, **values: Any) -> dict[str, Any]:
    return bridge.UserError(template, hint=hint, **values).to_json()


def _finish(job: Job, result: dict[str, Any] | None, error: dict[str, Any] | None) -> None:
    with transaction.atomic():
        ours = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING, tries=job.tries).update(
            status=Job.Status.FAILED if error else Job.Status.DONE,
            result=result,
            error=error,
            lease_until=None,
            finished=timezone.now(),
        )
        if ours and job.kind == Job.Kind.INSPECT:
            _tell_file(job, result, error)


def _tell_file(job: Job, result: dict[str, Any] | None, error: dict[str, Any] | None) -> None:
    row = DataFile.objects.filter(job=job).first()
    if row is None:
        return
    row.status = DataFile.Status.FAILED if error else DataFile.Status.READY
    row.error = error
    if result is not None:
        row.kind = str(result.get("kind", ""))[:10]
        row.inspection = result
    row.save(update_fields=["status", "error", "kind", "inspection"])
    project_changed(row.project_id, "data", row.pk)
