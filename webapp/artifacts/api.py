"""Endpoints of the catalog and of artifacts: what was made, file by file."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import FileResponse, HttpRequest
from ninja import Router

from webapp import bridge
from webapp.api.errors import not_found
from webapp.api.schemas import ERRORS
from webapp.artifacts import store
from webapp.artifacts.models import Artifact
from webapp.workspaces.access import find, person
from webapp.workspaces.models import Workspace

router = Router(tags=["artifacts"])
# What users produce never acts as this site: it is downloaded, never guessed at, and a sandbox if it is shown.
UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
}


@router.get("/catalog", response={200: dict[str, Any], **ERRORS})
def read_catalog(request: HttpRequest) -> dict[str, Any]:
    """Every block: parameters, ports, documentation."""
    return bridge.catalog()


def _manifest(request: HttpRequest, workspace_id: uuid.UUID, digest: str) -> dict[str, Any]:
    workspace = find(Workspace, person(request), workspace_id)
    if not Artifact.objects.filter(workspace=workspace, digest=digest).exists():
        raise not_found()
    return store.manifest(digest)


@router.get("/workspaces/{hexid:workspace_id}/artifacts/{digest}", response={200: dict[str, Any], **ERRORS})
def read_artifact(request: HttpRequest, workspace_id: uuid.UUID, digest: str) -> dict[str, Any]:
    """The manifest of an artifact: kind, files, what it says about itself."""
    return {"digest": digest, **_manifest(request, workspace_id, digest)}


@router.get("/workspaces/{hexid:workspace_id}/artifacts/{digest}/files/{path:name}", response={200: None, **ERRORS})
def read_file(request: HttpRequest, workspace_id: uuid.UUID, digest: str, name: str) -> FileResponse:
    """One file of an artifact, as a download."""
    manifest = _manifest(request, workspace_id, digest)
    entry = manifest["files"].get(name)
    if entry is None:
        raise not_found()
    filename = manifest["meta"].get("filename") if name == "content" else None
    path = store.local_blob(entry["sha256"])
    content_type = "application/json" if name.endswith(".json") else "application/octet-stream"
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=filename if isinstance(filename, str) else name.rpartition("/")[2],
        content_type=content_type,
        headers=UNTRUSTED,
    )
