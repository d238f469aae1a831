"""What blocks made before, by cache key, for each workspace.

Called by supervisors (a run asks) and by the plan endpoint (a person asks what would run).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from webapp.artifacts import store
from webapp.runs.models import BlockHistory, CacheEntry, Run


def place_of(pipeline_id: UUID | None, project_id: UUID) -> UUID:
    """Where a block's history is looked up: its pipeline, or the project for documents without one."""
    return pipeline_id or project_id


def find(workspace_id: UUID, key: str) -> CacheEntry | None:
    """The entry of a key, when its artifacts are still kept."""
    hit = CacheEntry.objects.filter(workspace_id=workspace_id, key=key).first()
    if hit is None or not all(store.owned(workspace_id, digest) for digest in hit.outputs.values()):
        return None
    return hit


def previous(place: UUID, block: str) -> dict[str, Any] | None:
    """What the block's key was made of when it last ran there."""
    rows = BlockHistory.objects.filter(place=place, block=block)
    components: dict[str, Any] | None = rows.values_list("components", flat=True).first()
    return components


def note(place: UUID, block: str, key: str, components: dict[str, Any]) -> None:
    """The block has this key now; its next run is compared with it."""
    if not BlockHistory.objects.filter(place=place, block=block, key=key).exists():
        BlockHistory.objects.update_or_create(place=place, block=block, defaults={"key": key, "components": components})


def maker_of(hit: CacheEntry) -> dict[str, Any] | None:
    """The run and block that made a result; None when the run is deleted."""
    if hit.run_id is None:
        return None
    run = Run.objects.only("number", "project_id").get(pk=hit.run_id)
    return {"run": run.id.hex, "project": run.project_id.hex, "number": run.number, "block": hit.block}


def remember(workspace_id: UUID, place: UUID, made: Mapping[str, Any], run_id: UUID | None = None) -> None:
    """Keep what a block made (``block, key, components, outputs, metrics``); a known key gets the newer result."""
    CacheEntry.objects.update_or_create(
        workspace_id=workspace_id,
        key=made["key"],
        defaults={name: made[name] for name in ("components", "outputs", "metrics", "block")} | {"run_id": run_id},
    )
    note(place, made["block"], made["key"], made["components"])
