"""Endpoints of the catalog and of artifacts: what was made, file by file."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from ninja import Router

from webapp import bridge
from webapp.api.errors import not_found
from webapp.api.schemas import ERRORS
from webapp.artifacts import store
from webapp.artifacts.downloads import send_file
from webapp.artifacts.models import Artifact
from webapp.workspaces.access import find, person
from webapp.workspaces.models import Workspace

router = Router(tags=["artifacts"])


@router.get("/catalog", response={200: dict[str, Any], **ERRORS})
def read_catalog(request: HttpRequest) -> HttpResponse:
    """Every block: parameters, ports, documentation. With ``If-None-Match`` only when it has changed."""
    catalog = bridge.catalog()
    headers = {"ETag": f'"{catalog["digest"]}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    return JsonResponse(catalog, headers=headers)


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
def read_file(request: HttpRequest, workspace_id: uuid.UUID, digest: str, name: str) -> HttpResponseBase:
    """One file of an artifact, as a download."""
    manifest = _manifest(request, workspace_id, digest)
    entry = manifest["files"].get(name)
    if entry is None:
        raise not_found()
    given = manifest["meta"].get("filename") if name == "content" else None
    filename = given if isinstance(given, str) else name.rpartition("/")[2]
    return send_file(request, store.local_blob(entry["sha256"]), filename)
