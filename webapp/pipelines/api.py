"""Endpoints of pipelines: documents, operations, versions, templates."""

from __future__ import annotations

import uuid
from typing import Any

import ninja
from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from webapp import bridge
from webapp.api.schemas import ERRORS, Input, items, moment
from webapp.live.bell import project_changed
from webapp.pipelines import changes
from webapp.pipelines.models import Pipeline, PipelineVersion
from webapp.pipelines.templates import list_templates, template_document
from webapp.workspaces.access import find, find_with_access, person
from webapp.workspaces.models import Project, Role

router = Router(tags=["pipelines"])


class NewPipeline(Input):
    """A blank pipeline, one of a document, or one of a template."""

    name: str | None = Field(None, min_length=1, max_length=200)
    document: dict[str, Any] | None = None
    template: str | None = Field(None, max_length=100)


class Operations(Input):
    base_version: int = Field(ge=1)
    op_id: str = Field(min_length=1, max_length=64)
    ops: list[dict[str, Any]] = Field(min_length=1, max_length=5_000)


class Import(Input):
    document: dict[str, Any]


class VersionName(Input):
    name: str = Field(min_length=1, max_length=200)


class Restore(Input):
    version: int = Field(ge=1)


class PipelineOut(ninja.Schema):
    id: str
    name: str
    project: str
    version: int
    document: dict[str, Any]
    problems: list[dict[str, Any]]
    can_edit: bool
    updated: str


def _json(row: Pipeline, can_edit: bool) -> dict[str, Any]:
    document = bridge.parse_document(row.document)
    return {
        "id": row.pk.hex,
        "name": row.name,
        "project": row.project_id.hex,
        "version": row.version,
        "document": document.to_json(),
        "problems": bridge.problems_of(document),
        "can_edit": can_edit,
        "updated": moment(row.updated),
    }


def _version_json(row: PipelineVersion) -> dict[str, Any]:
    return {
        "id": row.pk.hex,
        "version": row.version,
        "name": row.name,
        "user": row.user.name if row.user else None,
        "created": moment(row.created),
    }


@router.get("/templates", response={200: dict[str, Any], **ERRORS})
def read_templates(request: HttpRequest) -> dict[str, Any]:
    """The examples that a pipeline can start from."""
    return items(list_templates())


@router.get("/projects/{hexid:project_id}/pipelines", response={200: dict[str, Any], **ERRORS})
def list_pipelines(request: HttpRequest, project_id: uuid.UUID) -> dict[str, Any]:
    """The pipelines of a project, the newest change first."""
    project = find(Project, person(request), project_id)
    return items(
        {
            "id": row.pk.hex,
            "name": row.name,
            "version": row.version,
            "updated": moment(row.updated),
            "blocks": len(row.document["blocks"]),
            "document": row.document,
        }
        for row in project.pipelines.all()
    )


@router.post("/projects/{hexid:project_id}/pipelines", response={201: PipelineOut, **ERRORS})
def add_pipeline(request: HttpRequest, project_id: uuid.UUID, payload: NewPipeline) -> Status[dict[str, Any]]:
    """Make a pipeline. A document that cannot be read is refused with the reason; nothing is guessed."""
    project = find(Project, person(request), project_id, Role.EDITOR)
    if payload.document is not None:
        document = bridge.parse_document(payload.document)
    elif payload.template is not None:
        document = template_document(payload.template, project)
    else:
        document = bridge.Document()
    row = changes.create_pipeline(project, payload.name or document.name, document)
    return Status(201, _json(row, can_edit=True))


@router.get("/pipelines/{hexid:pipeline_id}", response={200: PipelineOut, **ERRORS})
def read_pipeline(request: HttpRequest, pipeline_id: uuid.UUID) -> dict[str, Any]:
    """A pipeline with its document and its problems."""
    row, access = find_with_access(Pipeline, person(request), pipeline_id)
    return _json(row, access.allows(Role.EDITOR))


@router.delete("/pipelines/{hexid:pipeline_id}", response={204: None, **ERRORS})
def delete_pipeline(request: HttpRequest, pipeline_id: uuid.UUID) -> Status[None]:
    """Delete a pipeline with its history; its runs stay."""
    row = find(Pipeline, person(request), pipeline_id, Role.EDITOR)
    project_changed(row.project_id, "pipelines", row.pk)
    row.delete()
    return Status(204, None)


@router.post("/pipelines/{hexid:pipeline_id}/operations", response={200: dict[str, Any], **ERRORS})
def add_operations(request: HttpRequest, pipeline_id: uuid.UUID, payload: Operations) -> dict[str, Any]:
    """Change a pipeline. 409 says what was missed; sending the same ``op_id`` twice changes nothing."""
    row = find(Pipeline, person(request), pipeline_id, Role.EDITOR)
    edit = changes.Edit(payload.base_version, payload.op_id, payload.ops)
    row = changes.apply_edit(row.pk, edit, person(request))
    return {"version": row.version, "problems": bridge.problems_of(bridge.parse_document(row.document))}


@router.get("/pipelines/{hexid:pipeline_id}/operations", response={200: dict[str, Any], **ERRORS})
def list_operations(request: HttpRequest, pipeline_id: uuid.UUID, after: int = 0) -> dict[str, Any]:
    """The changes after a version, oldest first."""
    row = find(Pipeline, person(request), pipeline_id)
    return {**items(changes.changes_after(row, after)), "version": row.version}


@router.post("/pipelines/{hexid:pipeline_id}/import", response={200: PipelineOut, **ERRORS})
def import_document(request: HttpRequest, pipeline_id: uuid.UUID, payload: Import) -> dict[str, Any]:
    """Put a whole document in the place of this one, as its next version."""
    row = find(Pipeline, person(request), pipeline_id, Role.EDITOR)
    document = bridge.parse_document(payload.document)
    return _json(changes.replace_document(row.pk, document, person(request)), can_edit=True)


@router.get("/pipelines/{hexid:pipeline_id}/versions", response={200: dict[str, Any], **ERRORS})
def list_versions(request: HttpRequest, pipeline_id: uuid.UUID) -> dict[str, Any]:
    """The versions that have a name, the newest first."""
    row = find(Pipeline, person(request), pipeline_id)
    return items(_version_json(version) for version in row.versions.select_related("user"))


@router.post("/pipelines/{hexid:pipeline_id}/versions", response={201: dict[str, Any], **ERRORS})
def add_version(request: HttpRequest, pipeline_id: uuid.UUID, payload: VersionName) -> Status[dict[str, Any]]:
    """Give today's version a name, so that one can go back to it."""
    row = find(Pipeline, person(request), pipeline_id, Role.EDITOR)
    return Status(201, _version_json(changes.name_version(row, payload.name, person(request))))


@router.post("/pipelines/{hexid:pipeline_id}/restore", response={200: PipelineOut, **ERRORS})
def restore_version(request: HttpRequest, pipeline_id: uuid.UUID, payload: Restore) -> dict[str, Any]:
    """Go back to a named version; what is there now stays in the history."""
    row = find(Pipeline, person(request), pipeline_id, Role.EDITOR)
    document = changes.document_at(row, payload.version)
    return _json(changes.replace_document(row.pk, document, person(request)), can_edit=True)
