"""What a run would do now, block by block: cached, will run, and why.

Called by the plan endpoint and to choose a queue. It walks the cache as the executor does.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from webapp import bridge
from webapp.artifacts.models import Artifact
from webapp.runs import cache
from webapp.runs.models import Run
from webapp.workspaces.models import Project


def preview(document: Any, project: Project, place: UUID, targets: list[str] | None = None) -> dict[str, Any]:
    """Block -> ``{"state": "cached" | "will_run" | "unknown", "reason": ...}``."""
    kinds: dict[str, str] = {}

    def kind_of(digest: str) -> str:
        if digest not in kinds:
            row = Artifact.objects.filter(workspace_id=project.workspace_id, digest=digest).only("kind").first()
            kinds[digest] = row.kind if row else ""
        return kinds[digest]

    return bridge.preview_run(
        document,
        catalog=bridge.catalog(),
        cache=_ReadOnly(project.workspace_id, place),
        plan=last_plan(project),
        kind_of=kind_of,
        targets=targets,
    )


def last_plan(project: Project) -> bridge.ExecutionPlan:
    """The plan of the workspace's last run: the next one will most likely get the same."""
    rows = Run.objects.filter(project__workspace_id=project.workspace_id, plan__isnull=False).order_by("-started")
    plan = rows.values_list("plan", flat=True).first()
    return bridge.ExecutionPlan.model_validate(plan or {})


class _ReadOnly:
    """The workspace's cache, looked at."""

    def __init__(self, workspace_id: UUID, place: UUID) -> None:
        self._workspace = workspace_id
        self._place = place

    def lookup(self, block: str, key: str, parts: dict[str, Any]) -> bridge.Lookup:
        """What was made under this key, or what the block depended on last time."""
        hit = cache.find(self._workspace, key)
        if hit is None:
            return bridge.Lookup(None, cache.previous(self._place, block))
        return bridge.Lookup(bridge.Hit(hit.outputs, hit.metrics), None)

    def remember(self, block: str, key: str, parts: dict[str, Any], hit: bridge.Hit) -> None:
        """Looking keeps nothing."""
