"""Changes of a pipeline: by operations, by import, by going back. Called by the API and by ``sample``.

Every change is one row of the log and one step of the version, written together or not at all. Two writers never
overwrite each other: who comes second is told what was missed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from webapp import bridge
from webapp.accounts.models import User
from webapp.api.errors import ApiError, not_found
from webapp.live.bell import project_changed
from webapp.pipelines.models import Pipeline, PipelineOperation, PipelineVersion
from webapp.workspaces.models import Project

MAX_MISSED = 500


@dataclass(frozen=True)
class Edit:
    """What one client sends at once: ``op_id`` makes sending it twice harmless."""

    base_version: int
    op_id: str
    ops: Sequence[Mapping[str, Any]]


def create_pipeline(project: Project, name: str, document: bridge.Document) -> Pipeline:
    """A new pipeline of a document."""
    document = bridge.arrange(document.with_(name=name))
    row = Pipeline.objects.create(project=project, name=name, document=document.to_json(), updated=timezone.now())
    project_changed(project.pk, "pipelines", row.pk)
    return row


def apply_edit(pipeline_id: uuid.UUID, edit: Edit, user: User) -> Pipeline:
    """Apply operations on top of the version they were made for.

    1. An edit that is in the log already is answered with the version that it made then.
    2. A stale base is refused with the operations that were missed.
    3. A conditional UPDATE writes document and version; the log row is written with it.

    Raises
    ------
    ApiError
        409 with ``version`` and ``missed``.
    UserError
        When an operation does not apply; nothing was changed.
    """
    with transaction.atomic():
        done = _made_before(pipeline_id, edit.op_id)
        if done is not None:
            return done
        row = _read(pipeline_id)
        if row.version == edit.base_version:
            document = bridge.apply_operations(bridge.parse_document(row.document), edit.ops)
            if _advance(row, document, edit.op_id, list(edit.ops), user):
                return row
    # Somebody was faster; it may have been the same edit, sent twice and stored after our first look.
    done = _made_before(pipeline_id, edit.op_id)
    if done is None:
        raise _stale(_read(pipeline_id), edit.base_version)
    return done


def replace_document(pipeline_id: uuid.UUID, document: bridge.Document, user: User) -> Pipeline:
    """Put another document in the place of a pipeline's, as its next version."""
    document = bridge.arrange(document)
    with transaction.atomic():
        row = _read(pipeline_id)
        ops = [{"op": "replace", "document": document.to_json()}]
        while not _advance(row, document, uuid.uuid4().hex, ops, user):
            row = _read(pipeline_id)
    return row


def name_version(row: Pipeline, name: str, user: User) -> PipelineVersion:
    """Keep today's version whole, under a name."""
    return PipelineVersion.objects.create(
        pipeline=row, version=row.version, name=name, document=row.document, user=user
    )


def document_at(row: Pipeline, version: int) -> bridge.Document:
    """The document as it was at a version that has a name.

    Raises
    ------
    ApiError
        404 when no such version was kept.
    """
    kept = row.versions.filter(version=version).first()
    if kept is None:
        raise not_found()
    return bridge.parse_document(kept.document)


def changes_after(row: Pipeline, version: int) -> list[dict[str, Any]]:
    """The log after a version, oldest first."""
    rows = row.operations.filter(version__gt=version).order_by("version")[:MAX_MISSED]
    return [
        {"version": r.version, "op_id": r.op_id, "actor": r.actor_id.hex if r.actor_id else None, "ops": r.ops}
        for r in rows
    ]


def _made_before(pipeline_id: uuid.UUID, op_id: str) -> Pipeline | None:
    """The pipeline with the version that an edit made; later versions are what its sender has missed."""
    made = PipelineOperation.objects.filter(pipeline_id=pipeline_id, op_id=op_id).first()
    if made is None:
        return None
    row = _read(pipeline_id)
    row.version = made.version
    return row


def _read(pipeline_id: uuid.UUID) -> Pipeline:
    row = Pipeline.objects.filter(pk=pipeline_id).first()
    if row is None:
        raise not_found()
    return row


def _advance(row: Pipeline, document: bridge.Document, op_id: str, ops: list[Any], user: User) -> bool:
    """Write the next version; False when somebody else wrote it first."""
    body, moment = document.to_json(), timezone.now()
    changed = Pipeline.objects.filter(pk=row.pk, version=row.version).update(
        version=row.version + 1, document=body, name=document.name, updated=moment
    )
    if not changed:
        return False
    row.version, row.document, row.name, row.updated = row.version + 1, body, document.name, moment
    PipelineOperation.objects.create(pipeline=row, version=row.version, op_id=op_id, actor=user, ops=ops)
    project_changed(row.project_id, "pipelines", row.pk)
    return True


def _stale(row: Pipeline, base_version: int) -> ApiError:
    missed = changes_after(row, base_version)
    if not 0 < row.version - base_version <= MAX_MISSED:
        # Too far behind, or ahead of us: the document as it is now stands for all that happened.
        whole = {"op": "replace", "document": row.document}
        missed = [{"version": row.version, "op_id": "", "actor": None, "ops": [whole]}]
    return ApiError(
        409,
        "The pipeline was changed in the meantime",
        hint="Apply the missed operations first, then send yours again.",
        extra={"version": row.version, "missed": missed},
    )
