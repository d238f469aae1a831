"""Endpoints of uploaded files: upload, look, correct, start a pipeline; and of the jobs that read them."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import File, Form, Router, Status, UploadedFile
from pydantic import Field

from webapp.api.errors import ApiError
from webapp.api.schemas import ERRORS, Input, hex_of, items, moment
from webapp.artifacts.jobs import create_job
from webapp.artifacts.models import DataFile, Job
from webapp.artifacts.start import pipeline_for
from webapp.artifacts.uploads import keep_upload
from webapp.live.bell import project_changed
from webapp.workspaces.access import find, find_with_access, person
from webapp.workspaces.models import Project, Role

router = Router(tags=["data"])
FOUND = ("columns", "count", "classes", "skipped", "target", "task", "problems", "preview", "profile")


class Correction(Input):
    """How the file shall be read, where the inspection guessed wrong; and its name."""

    options: dict[str, Any] | None = None
    name: str | None = Field(None, min_length=1, max_length=200)


class Start(Input):
    """What the model shall predict."""

    target: str | None = Field(None, max_length=500)
    task: Literal["classification", "regression"] = "classification"


def _json(row: DataFile) -> dict[str, Any]:
    found = row.inspection or {}
    return {
        "id": row.pk.hex,
        "name": row.name,
        "filename": row.filename,
        "kind": row.kind,
        "size": row.size,
        "status": row.status,
        "digest": row.digest,
        "detected": found.get("detected", {}),
        "options": {**found.get("options", {}), **row.options},
        "corrections": row.options,
        "error": row.error,
        "created": moment(row.created),
        **{name: found.get(name) for name in FOUND},
    }


def _summary(row: DataFile) -> dict[str, Any]:
    return {**_json(row), "preview": None, "profile": None}


def _inspect(row: DataFile, request: HttpRequest) -> None:
    job = create_job(
        row.project.workspace,
        person(request),
        Job.Kind.INSPECT,
        {"file": row.digest, "filename": row.filename, "options": row.options},
    )
    row.job, row.status, row.error = job, DataFile.Status.INSPECTING, None
    row.save(update_fields=["job", "status", "error", "options"])
    project_changed(row.project_id, "data", row.pk)


@router.get("/projects/{hexid:project_id}/data", response={200: dict[str, Any], **ERRORS})
def list_data(request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
    """The uploaded files of a project, the newest first."""
    project = find(Project, person(request), project_id)
    return items(_summary(row) for row in project.data_files.all())


@router.post("/projects/{hexid:project_id}/data", response={201: dict[str, Any], **ERRORS})
def add_data(
    request: HttpRequest, project_id: uuid.UUID, file: File[UploadedFile], name: Form[str] = ""
) -> Status[dict[str, Any]]:
    """Upload a table or a zip of image folders. It is looked at inside the sandbox; ``status`` says when."""
    project = find(Project, person(request), project_id, Role.EDITOR)
    artifact, filename = keep_upload(project.workspace_id, file)
    with transaction.atomic():
        row = DataFile.objects.create(
            project=project,
            name=(name.strip() or filename)[:200],
            filename=filename,
            size=file.size or 0,
            digest=artifact.digest,
            user=person(request),
        )
        _inspect(row, request)
    return Status(201, _json(row))


@router.get("/data/{hexid:data_id}", response={200: dict[str, Any], **ERRORS})
def read_data(request: HttpRequest, data_id: uuid.UUID) -> dict[str, Any]:
    """One file with what was found in it."""
    return _json(find(DataFile, person(request), data_id))


@router.patch("/data/{hexid:data_id}", response={200: dict[str, Any], **ERRORS})
def correct_data(request: HttpRequest, data_id: uuid.UUID, payload: Correction) -> dict[str, Any]:
    """Rename a file, or correct how it is read: then it is looked at again."""
    row = find(DataFile, person(request), data_id, Role.EDITOR)
    with transaction.atomic():
        if payload.name:
            row.name = payload.name
            row.save(update_fields=["name"])
        if payload.options is not None:
            row.options = payload.options
            _inspect(row, request)
    return _json(row)


@router.delete("/data/{hexid:data_id}", response={204: None, **ERRORS})
def delete_data(request: HttpRequest, data_id: uuid.UUID) -> Status[None]:
    """Take a file off the list. Pipelines that use it still find it."""
    row = find(DataFile, person(request), data_id, Role.EDITOR)
    project_changed(row.project_id, "data", row.pk)
    row.delete()
    return Status(204, None)


@router.post("/data/{hexid:data_id}/pipeline", response={201: dict[str, Any], **ERRORS})
def start_pipeline(request: HttpRequest, data_id: uuid.UUID, payload: Start) -> Status[dict[str, Any]]:
    """A pipeline that trains on this file, ready to run and to edit."""
    row, access = find_with_access(DataFile, person(request), data_id, Role.EDITOR)
    if row.status != DataFile.Status.READY:
        raise ApiError(409, "The file {name} has not been read yet", name=row.name)
    pipeline = pipeline_for(row, payload.target, payload.task)
    return Status(201, {"id": pipeline.pk.hex, "name": pipeline.name, "project": row.project_id.hex, "version": 1})


@router.get("/jobs/{hexid:job_id}", response={200: dict[str, Any], **ERRORS})
def read_job(request: HttpRequest, job_id: uuid.UUID) -> dict[str, Any]:
    """How far a job is, and its result."""
    row = find(Job, person(request), job_id)
    return {
        "id": row.pk.hex,
        "kind": row.kind,
        "status": row.status,
        "result": row.result,
        "error": row.error,
        "user": hex_of(row.user_id),
        "created": moment(row.created),
        "finished": moment(row.finished),
    }
