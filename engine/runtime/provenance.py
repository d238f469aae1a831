"""Where a model comes from: the pipeline up to the block that made it, the plan and the versions.

Called by blocks that make models. Names, positions and labels stay out, so moving a block in the browser does not
change the digest of the model.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch

from engine.spec import ExecutionPlan, RunContext


def provenance(ctx: RunContext, plan: ExecutionPlan | None = None) -> dict[str, Any]:
    """JSON for ``model.json``: a finished model carries the pipeline that made it.

    Only a block that computes under a plan gives one: what the others make must not depend on it.
    """
    return {
        "document": semantic(ctx.document),
        "block": ctx.block_id,
        # Not what was measured for other workloads: the same training gives the same model.
        **({} if plan is None else {"plan": plan.model_dump(exclude={"choices"})}),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


def semantic(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a pipeline that decides what runs: seed, blocks and wires.

    >>> semantic({"seed": 1, "name": "Digits", "blocks": {"a": {"type": "x.y", "label": "A"}}, "wires": []})
    {'format': 'deepseek.pipeline/1', 'seed': 1, 'blocks': {'a': {'type': 'x.y', 'params': {}}}, 'wires': []}
    """
    blocks = {}
    for name in sorted(document.get("blocks", {})):
        block = document["blocks"][name]
        blocks[name] = {"type": block["type"], "params": dict(block.get("params", {}))}
        if block.get("bypass"):
            blocks[name]["bypass"] = True
    # The order of wires into one list has a meaning, the order between ports has none: a stable sort keeps the first.
    wires = sorted((list(wire) for wire in document.get("wires", [])), key=lambda wire: wire[1])
    return {
        "format": document.get("format", "deepseek.pipeline/1"),
        "seed": document.get("seed", 0),
        "blocks": blocks,
        "wires": wires,
    }
