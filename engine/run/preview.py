"""What a run would do, without doing it: for the badges on the blocks.

Called by the web application and the command line. Reads the cache as the executor does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.graph.document import Document
from engine.graph.lookup import Catalog
from engine.run import steps as steps_
from engine.run.cache import Cache
from engine.run.steps import Made
from engine.spec.context import ExecutionPlan


def preview_run(
    document: Document,
    *,
    catalog: Catalog,
    cache: Cache,
    plan: ExecutionPlan,
    kind_of: Callable[[str], str],
    targets: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Block id -> ``{"state": "cached" | "will_run" | "unknown", "reason"}``.

    Behind a block that will run the state is ``unknown``: if it makes the same as before, they stay cached. Blocks
    that the catalog does not know are left out. ``kind_of`` gives the kind of an artifact by its digest.
    """
    known = {id_: b for id_, b in document.blocks.items() if b.type in catalog["blocks"]}
    document = document.with_(
        blocks=known,
        wires=tuple(w for w in document.wires if w.source_block in known and w.target_block in known),
    )
    made: dict[str, Made] = {}
    kinds: dict[str, str] = {}
    states: dict[str, dict[str, Any]] = {}
    for step in steps_.plan_steps(document, catalog, targets):
        before = next((b for sources in step.sources.values() for b, _ in sources if b not in made), None)
        if before is not None:
            why = steps_.reason("waits", "It depends on what {block} makes", block=before)
            states[step.id] = {"state": "unknown", "reason": why}
            continue
        if step.block.bypass:
            made[step.id] = steps_.bypass_sources(step, made, kinds, catalog)
            states[step.id] = {"state": "cached", "reason": steps_.BYPASSED}
        elif not step.entry["cacheable"]:
            states[step.id] = {"state": "will_run", "reason": steps_.NOT_CACHEABLE}
            continue
        elif steps_.local_paths(step):
            # Whoever asks may be a web process, which must not look around on disks for a person.
            why = steps_.reason("files", "It depends on files that only the run can see")
            states[step.id] = {"state": "unknown", "reason": why}
            continue
        else:
            parts = steps_.components(step, document.seed, plan, made)
            key = steps_.key_of(parts)
            found = cache.lookup(step.id, key, parts)
            if found.hit is None:
                why = steps_.why_it_runs(parts, found.previous)
                states[step.id] = {"state": "will_run", "reason": why}
                continue
            measured = frozenset(p["name"] for p in step.entry["outputs"] if p["measured"])
            made[step.id] = Made(key, found.hit.outputs, found.hit.metrics, measured)
            states[step.id] = {"state": "cached", "reason": steps_.CACHED}
        kinds.update({f"{step.id}.{port}": kind_of(digest) for port, digest in made[step.id].outputs.items()})
    return states
