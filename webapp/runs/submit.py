"""Makes a run out of a document: checks it, freezes it, and puts its row into the queue.

Called by the API. The document is the person's own or their pipeline's; what a run executes is only ever what is
stored here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max

from webapp import bridge
from webapp.api.errors import ApiError
from webapp.artifacts import store
from webapp.live.bell import project_changed
from webapp.pipelines.models import Pipeline
from webapp.queue import workers
from webapp.queue.models import Device
from webapp.runs.cache import place_of
from webapp.runs.clock import now
from webapp.runs.models import BlockState, Run, RunSpec, RunSummary
from webapp.runs.preview import preview
from webapp.runs.projection import EMPTY
from webapp.runs.values import config_of, store_values
from webapp.workspaces.access import Access
from webapp.workspaces.models import Project

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TRIES = 10


@dataclass(frozen=True)
class Wish:
    """What somebody wants to run."""

    document: Mapping[str, Any]
    pipeline: Pipeline | None = None
    targets: list[str] | None = None
    rerun_from: str | None = None
    name: str | None = None
    plan: dict[str, Any] | None = None
    share_device: bool = False


def submit(project: Project, access: Access, wish: Wish) -> Run:
    """Put a run into the queue.

    1. The document must be valid, its code allowed, its artifacts the workspace's own.
    2. One transaction writes the run, its frozen document and its parameters; the number is the project's next.
    3. After the commit the bell rings. If nobody hears it, workers look by themselves.

    Raises
    ------
    ApiError, UserError
        When something is wrong with the document or the person's rights.
    """
    access.require("editor")
    document = bridge.parse_document(wish.document)
    catalog = bridge.catalog()
    _refuse_problems(document, catalog)
    frozen = document.to_json()
    _refuse_blocks(frozen, catalog, access, wish)
    run = Run(
        project=project,
        pipeline=wish.pipeline,
        user=access.user,
        name=(wish.name or document.name or "Run")[:200],
        queue=choose_queue(document, catalog, project, wish),
        shares_device=wish.share_device,
    )
    run.nodes, run.devices = _machines(frozen, run.queue)
    _insert(run, frozen, catalog, wish)
    return run


def choose_queue(document: Any, catalog: dict[str, Any], project: Project, wish: Wish) -> str:
    """The queue of the most demanding block that is not cached."""
    entries = {name: catalog["blocks"][block.type] for name, block in document.blocks.items()}
    demanding = {
        name: entry
        for name, entry in entries.items()
        if entry["needs"] == "gpu" and document.blocks[name].params.get("device") != "cpu"
    }
    if not demanding or not (any(e["required"] for e in demanding.values()) or _has_gpus()):
        return "cpu"
    states = preview(document, project, place_of(wish.pipeline.id if wish.pipeline else None, project.id), wish.targets)
    if wish.rerun_from is None:
        demanding = {name: e for name, e in demanding.items() if states.get(name, {}).get("state") != "cached"}
    return "gpu" if demanding else "cpu"


def _machines(document: Mapping[str, Any], queue: str) -> tuple[int, int]:
    """Machines that a run needs, and devices on each: the most that one of its blocks asks for.

    On the CPU the processes of one machine share a place.

    Raises
    ------
    ApiError
        When no worker takes part in runs on several machines.
    """
    asked = [block["params"] for block in document["blocks"].values() if not block.get("bypass")]
    nodes = max((int(params.get("nodes") or 1) for params in asked), default=1)
    devices = max((int(params.get("devices") or 1) for params in asked), default=1) if queue == "gpu" else 1
    if nodes > 1 and not workers.online().exclude(address="").exists():
        raise ApiError(
            422,
            "No worker takes part in runs on several machines",
            hint="Set DEEPSEEK_NODE_ADDRESS on the workers, see docs/distributed.md, or set nodes to 1.",
        )
    return nodes, devices


def _has_gpus() -> bool:
    return Device.objects.filter(type=Device.Type.CUDA, worker__in=workers.online()).exists()


def _refuse_problems(document: Any, catalog: dict[str, Any]) -> None:
    problems = bridge.errors_in(bridge.validate(document, catalog))
    if problems:
        raise ApiError(
            422,
            "The pipeline cannot run yet: it has {count} problems",
            hint="The problems panel names each block and field.",
            extra={"problems": [problem.to_json() for problem in problems]},
            count=len(problems),
        )
    if not document.blocks:
        raise ApiError(422, "The pipeline is empty", hint="Add a block first.")


def _refuse_blocks(document: Mapping[str, Any], catalog: dict[str, Any], access: Access, wish: Wish) -> None:
    for name in (*(wish.targets or ()), *filter(None, [wish.rerun_from])):
        if name not in document["blocks"]:
            raise ApiError(422, "There is no block {name}", name=name[:80])
    for name, block in document["blocks"].items():
        entry = catalog["blocks"][block["type"]]
        if entry["permission"] == "run_code" and not access.can_run_code:
            raise ApiError(
                403,
                "You may not run your own code in this workspace",
                hint="Ask an owner to allow it on the members page.",
                block=name,
            )
        properties = entry["params"]["schema"].get("properties", {})
        for field, value in block.get("params", {}).items():
            if properties.get(field, {}).get("widget") == "artifact" and value:
                _refuse_foreign(access.workspace.id, value, name, field)


def _refuse_foreign(workspace_id: UUID, digest: Any, block: str, field: str) -> None:
    known = isinstance(digest, str) and DIGEST.fullmatch(digest) and store.owned(workspace_id, digest)
    if not known:
        raise ApiError(
            422, "This file is not in the workspace", hint="Choose or upload it again.", block=block, field=field
        )


def _insert(run: Run, document: dict[str, Any], catalog: dict[str, Any], wish: Wish) -> None:
    from webapp.celery import ring_runs

    config = config_of(document, defaults_of(catalog))
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                run.number = (Run.objects.filter(project=run.project).aggregate(Max("number"))["number__max"] or 0) + 1
                run.available = now()
                run.save(force_insert=True)
                RunSpec.objects.create(
                    run=run, document=document, targets=wish.targets, rerun_from=wish.rerun_from, plan=wish.plan
                )
                RunSummary.objects.create(run=run, config=config)
                store_values(run.id, run.project_id, config)
                BlockState.objects.bulk_create(
                    BlockState(run=run, block=name, position=at, data=EMPTY)
                    for at, name in enumerate(document["blocks"])
                )
                project_changed(run.project_id, "runs", run.id)
                transaction.on_commit(partial(ring_runs))
            break
        except IntegrityError:  # somebody else took the number
            if attempt == TRIES - 1:
                raise
    run.refresh_from_db()


def defaults_of(catalog: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every block type's parameters with their defaults."""
    return {
        type_: {name: rule.get("default") for name, rule in entry["params"]["schema"].get("properties", {}).items()}
        for type_, entry in catalog["blocks"].items()
    }
