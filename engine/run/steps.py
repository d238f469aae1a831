"""The steps of a run, the key of each step, and the reason why a step must run again.

Called by the executor and by whoever shows what a run would do. Imports no block: parameters are made canonical
from the catalog's JSON Schema, so a run that is cached from end to end never imports torch.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.artifacts import digest_of
from engine.errors import UserError, render
from engine.graph.document import Block, Document
from engine.graph.lookup import Catalog, fits
from engine.graph.topology import ancestors, order
from engine.spec.context import ExecutionPlan

Components = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a run, with the wires that feed each of its inputs in document order."""

    id: str
    block: Block
    entry: Mapping[str, Any]
    sources: Mapping[str, Sequence[tuple[str, str]]]


@dataclass(slots=True)
class Made:
    """What a step made: output port -> artifact digest, and the key it was made under."""

    key: str
    outputs: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    measured: frozenset[str] = frozenset()


def plan_steps(document: Document, catalog: Catalog, targets: Sequence[str] | None = None) -> list[Step]:
    """The steps in the order they run; with ``targets`` only what those blocks need.

    Raises
    ------
    UserError
        For a target that is not in the pipeline.
    """
    edges = [(w.source_block, w.target_block) for w in document.wires]
    wanted = set(document.blocks)
    if targets:
        for target in targets:
            if target not in document.blocks:
                raise UserError("There is no block {id}", id=target[:80])
        wanted = ancestors(targets, document.blocks, edges)
    steps = []
    for id_ in order(document.blocks, edges):
        if id_ not in wanted:
            continue
        block = document.blocks[id_]
        entry = catalog["blocks"][block.type]
        sources = {
            port["name"]: [(w.source_block, w.source_port) for w in document.wires_into(id_, port["name"])]
            for port in entry["inputs"]
        }
        steps.append(Step(id_, block, entry, sources))
    return steps


def bypass_sources(step: Step, made: Mapping[str, Made], kinds: Mapping[str, str], catalog: Catalog) -> Made:
    """What a bypassed block passes on: for each output the first input of a kind that fits it.

    ``kinds`` says of which kind the artifact at each ``block.port`` is.
    """
    outputs = {}
    for port in step.entry["outputs"]:
        for sources in step.sources.values():
            match = [
                made[block].outputs[name]
                for block, name in sources
                if name in made[block].outputs and fits(catalog, kinds.get(f"{block}.{name}", ""), [port["kind"]])
            ]
            if match:
                outputs[port["name"]] = match[0]
                break
    return Made(key="", outputs=outputs)


def canonical_params(params: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter with its default filled in and numbers in the schema's type.

    >>> schema = {"properties": {"lr": {"type": "number", "default": 1}, "n": {"type": "integer", "default": 2}}}
    >>> canonical_params({"n": 3}, schema)
    {'lr': 1.0, 'n': 3}
    """
    result = {}
    for name, rule in schema.get("properties", {}).items():
        value = params.get(name, rule.get("default"))
        types = [rule.get("type")] + [arm.get("type") for arm in rule.get("anyOf", [])]
        if isinstance(value, int) and not isinstance(value, bool) and "number" in types:
            value = float(value)
        result[name] = value
    return result


def block_seed(seed: int, type_: str) -> int:
    """The seed of one block: its own stream, and the same one after it was renamed or moved."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{type_}".encode()).digest()[:4], "big")


def local_paths(step: Step) -> dict[str, str]:
    """Parameter -> path, for every parameter that names files of this machine."""
    fields = step.entry["params"]["schema"].get("properties", {})
    values = {name: step.block.params.get(name) for name, rule in fields.items() if rule.get("widget") == "path"}
    return {name: value for name, value in values.items() if isinstance(value, str) and value}


def components(step: Step, seed: int, plan: ExecutionPlan, made: Mapping[str, Made]) -> Components:
    """Everything that a step's result depends on; its digest is the cache key.

    An input counts by the *content* of its artifact, so a block that ran again and made the same thing does not
    wake those behind it. A measured output counts by how it was made, since its content carries timings.
    """
    return {
        "type": step.entry["id"],
        "version": step.entry["version"],
        "code": step.entry["code"],
        "params": canonical_params(step.block.params, step.entry["params"]["schema"]),
        "inputs": {
            port: [_identity(made[block], name) for block, name in sources if name in made[block].outputs]
            for port, sources in step.sources.items()
        },
        "files": {name: _fingerprint(path) for name, path in local_paths(step).items()},
        "seed": seed,
        # Where a block only shuffles data, device and threads cannot change what it makes.
        "plan": plan.model_dump(exclude={"choices"}) if step.entry["needs"] == "gpu" else None,
    }


def _fingerprint(path: str) -> str:
    # By name: it reads disks, and whoever only looks at pipelines must not need it.
    found: str = importlib.import_module("engine.datasets.fingerprint").fingerprint(path)
    return found


def _identity(made: Made, port: str) -> str:
    return f"made:{made.key}.{port}" if port in made.measured else made.outputs[port]


def key_of(parts: Components) -> str:
    """The cache key."""
    return digest_of(parts)


def reason(code: str, template: str, **values: Any) -> dict[str, Any]:
    """A reason as events and badges carry it."""
    return {"code": code, "template": template, "values": values, "message": render(template, values)}


CACHED = reason("cached", "Nothing changed since it last ran")
ASKED = reason("asked", "You asked to run it again")
NOT_CACHEABLE = reason("not_cacheable", "It runs every time")
BYPASSED = reason("bypassed", "It is bypassed")


def why_it_runs(parts: Components, previous: Components | None) -> dict[str, Any]:
    """Why a step is not taken from the cache, from what it depended on last time.

    >>> why_it_runs({"params": {"lr": 0.01}}, {"params": {"lr": 0.1}})["message"]
    'lr 0.1 -> 0.01'
    """
    if previous is None:
        return reason("first_run", "It has not run before")
    if previous.get("type") != parts.get("type"):
        return reason("code_changed", "It was another kind of block")
    if previous.get("version") != parts.get("version") or previous.get("code") != parts.get("code"):
        return reason("code_changed", "The block's code changed")
    for code, section in (("params_changed", "params"), ("plan_changed", "plan")):
        change = _first_change(previous.get(section) or {}, parts.get(section) or {})
        if change is not None:
            name, old, new = change
            return reason(code, "{field} {old} -> {new}", field=name, old=_brief(old), new=_brief(new))
    change = _first_change(previous.get("files") or {}, parts.get("files") or {})
    if change is not None:
        return reason("files_changed", "The files of {input} changed", input=change[0])
    if previous.get("seed") != parts.get("seed"):
        return reason("seed_changed", "seed {old} -> {new}", old=previous.get("seed"), new=parts.get("seed"))
    change = _first_change(previous.get("inputs") or {}, parts.get("inputs") or {})
    if change is not None:
        return reason("input_changed", "What comes in at {input} changed", input=change[0])
    return reason("evicted", "What it made is no longer kept")


def _first_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            return name, old.get(name), new.get(name)
    return None


def _brief(value: Any) -> Any:
    if isinstance(value, int | float | bool) or value is None:
        return value
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
