"""REST: the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import ninja
from django.http import HttpRequest

from webapp.api.schemas import ERRORS
from webapp.queue.queries import queue_json
from webapp.workspaces.access import find, person
from webapp.workspaces.models import Workspace

router = ninja.Router(tags=["queue"])


@router.get("/workspaces/{hexid:workspace}/queue", response={200: dict[str, Any], **ERRORS})
def read_queue(request: HttpRequest, workspace: UUID) -> Any:
    """Who runs what on which device, who waits at which position, and which workers there are."""
    return queue_json(find(Workspace, person(request), workspace).id)
