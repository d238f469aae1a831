"""Endpoints of registered models: keep one under a name, look at it, try it on a file."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import HttpRequest
from ninja import File, Form, Router, Schema, Status, UploadedFile
from pydantic import Field

from webapp.api.errors import ApiError
from webapp.api.schemas import ERRORS, Input, hex_of, items, moment
from webapp.artifacts import store
from webapp.artifacts.jobs import create_job
from webapp.artifacts.models import Artifact, Job, RegisteredModel
from webapp.artifacts.uploads import TEXT_FILE, keep_text, keep_upload
from webapp.live.bell import project_changed
from webapp.runs.models import Run
from webapp.runs.queries import run_json
from webapp.workspaces.access import find, person
from webapp.workspaces.models import Project, Role

router = Router(tags=["models"])
MAX_SPEC_BYTES = 2**20
MAX_TEXT = 100_000
MAX_OPTIONS = 10_000


class NewModel(Input):
    """A model that a run made, named by block and port; or any model of the workspace, by its digest.

    With a run and a digest: a model that the block put out, or one that an output of it builds on, such as a point of
    the front of a search.
    """

    name: str = Field(min_length=1, max_length=200)
    run: uuid.UUID | None = None
    block: str | None = Field(None, max_length=64)
    port: str | None = Field(None, max_length=64)
    digest: str | None = Field(None, max_length=71)


class JobStarted(Schema):
    """Where the answer will be."""

    job: str


class Change(Input):
    name: str | None = Field(None, min_length=1, max_length=200)
    notes: str | None = Field(None, max_length=20_000)


def _json(row: RegisteredModel) -> dict[str, Any]:
    manifest = store.manifest(row.digest)
    spec = _spec(manifest)
    return {
        "id": row.pk.hex,
        "name": row.name,
        "notes": row.notes,
        "digest": row.digest,
        "run": hex_of(row.run_id),
        "block": row.block or None,
        "task": spec.get("task"),
        "size": sum(entry["size"] for entry in manifest["files"].values()),
        "model": spec,
        "metrics": {k: v for k, v in (spec.get("metrics") or {}).items() if isinstance(v, int | float)},
        "created": moment(row.created),
    }


def _spec(manifest: dict[str, Any]) -> dict[str, Any]:
    entry = manifest["files"].get("model.json")
    if entry is None or entry["size"] > MAX_SPEC_BYTES:
        return {}
    value = json.loads(store.local_blob(entry["sha256"]).read_bytes())
    return value if isinstance(value, dict) else {}


def _digest_of(payload: NewModel, project: Project, request: HttpRequest) -> tuple[str, Run | None]:
    if payload.run is None:
        return payload.digest or "", None
    run = find(Run, person(request), payload.run)
    if run.project_id != project.pk:
        raise ApiError(422, "The run belongs to another project", field="run")
    block = run_json(run.pk)["blocks"].get(payload.block or "", {})
    outputs = block.get("outputs") or {}
    if payload.digest is None:
        return outputs.get(payload.port or "", {}).get("digest", ""), run
    made = {output["digest"] for output in outputs.values()}
    if payload.digest not in made.union(*(store.manifest(digest)["refs"] for digest in made)):
        raise ApiError(404, "This block made no such model", field="digest")
    return payload.digest, run


@router.get("/projects/{hexid:project_id}/models", response={200: dict[str, Any], **ERRORS})
def list_models(request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
    """The models of a project, the newest first."""
    project = find(Project, person(request), project_id)
    return items(_json(row) for row in project.models.all())


@router.post("/projects/{hexid:project_id}/models", response={201: dict[str, Any], **ERRORS})
def add_model(request: HttpRequest, project_id: uuid.UUID, payload: NewModel) -> Status[dict[str, Any]]:
    """Keep a model under a name."""
    project = find(Project, person(request), project_id, Role.EDITOR)
    digest, run = _digest_of(payload, project, request)
    found = Artifact.objects.filter(workspace_id=project.workspace_id, digest=digest).first()
    if found is None or found.kind != "model":
        status = 404 if found is None and payload.digest is not None else 422
        raise ApiError(status, "There is no such model in this workspace", field="digest" if run is None else "block")
    row = RegisteredModel.objects.create(
        project=project, name=payload.name, digest=digest, run=run, block=payload.block or "", user=person(request)
    )
    project_changed(project.pk, "models", row.pk)
    return Status(201, _json(row))


@router.get("/models/{hexid:model_id}", response={200: dict[str, Any], **ERRORS})
def read_model(request: HttpRequest, model_id: uuid.UUID) -> dict[str, Any]:
    """One model."""
    return _json(find(RegisteredModel, person(request), model_id))


@router.patch("/models/{hexid:model_id}", response={200: dict[str, Any], **ERRORS})
def change_model(request: HttpRequest, model_id: uuid.UUID, payload: Change) -> dict[str, Any]:
    """Rename a model, or write notes."""
    row = find(RegisteredModel, person(request), model_id, Role.EDITOR)
    changes = payload.dict(exclude_none=True)
    for name, value in changes.items():
        setattr(row, name, value)
    if changes:
        row.save(update_fields=list(changes))
        project_changed(row.project_id, "models", row.pk)
    return _json(row)


@router.delete("/models/{hexid:model_id}", response={204: None, **ERRORS})
def delete_model(request: HttpRequest, model_id: uuid.UUID) -> Status[None]:
    """Take a model off the list."""
    row = find(RegisteredModel, person(request), model_id, Role.EDITOR)
    project_changed(row.project_id, "models", row.pk)
    row.delete()
    return Status(204, None)


@router.post("/models/{hexid:model_id}/predict", response={202: JobStarted, **ERRORS})
def try_model(
    request: HttpRequest,
    model_id: uuid.UUID,
    file: UploadedFile | None = File(None),  # type: ignore[type-arg]  # noqa: B008
    text: str = Form("", max_length=MAX_TEXT),  # type: ignore[type-arg]  # Ninja's own way
    options: str = Form("", max_length=MAX_OPTIONS),  # type: ignore[type-arg]  # Ninja's own way
) -> Status[dict[str, Any]]:
    """Ask a model about a file, or about a text. ``GET /jobs/{job}`` has the answer when it is done.

    ``options`` is a JSON object: how a language model writes (``max_tokens``, ``temperature``, ``top_k``, ``top_p``,
    ``seed``).
    """
    row = find(RegisteredModel, person(request), model_id, Role.EDITOR)
    chosen = _options(options)
    if file is not None:
        artifact, filename = keep_upload(row.project.workspace_id, file)
    elif text.strip():
        artifact, filename = keep_text(row.project.workspace_id, text), TEXT_FILE
    else:
        raise ApiError(422, "Send a file or a text", field="file")
    job = create_job(
        row.project.workspace,
        person(request),
        Job.Kind.PREDICT,
        {"file": artifact.digest, "filename": filename, "model": row.digest, "options": chosen},
    )
    return Status(202, {"job": job.pk.hex})


def _options(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ApiError(422, "The options are not a JSON object", field="options")
    return value
