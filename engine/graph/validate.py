"""What is wrong with a pipeline, as data: (document, catalog) -> problems.

Called by the web application, the SDK, the command line and the executor, so all give the same answers. Reads
parameters by their JSON Schema and ports by the catalog's table; imports no block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from engine.artifacts import canonical_json
from engine.catalog import Catalog, find_block
from engine.errors import UserError, render
from engine.graph.document import Block, Document
from engine.graph.operations import unknown_block, wire_error
from engine.graph.topology import cycle_in

Severity = Literal["error", "warning", "info", "hint"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to say about a pipeline; only ``error`` keeps it from running."""

    block: str | None
    field: str | None
    severity: Severity
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    hint: str | None = None

    @property
    def message(self) -> str:
        """The message in English."""
        return render(self.template, dict(self.values))

    def to_json(self) -> dict[str, Any]:
        """As the API and the browser carry it."""
        return {
            "block": self.block,
            "field": self.field,
            "severity": self.severity,
            "message": self.message,
            "template": self.template,
            "values": dict(self.values),
            "hint": None if self.hint is None else render(self.hint, dict(self.values)),
            "hint_template": self.hint,
        }


def validate(document: Document, catalog: Catalog) -> list[Problem]:
    """Every problem of a pipeline, blocks in document order.

    Examples
    --------
    >>> [p.message for p in validate(Document(), {"blocks": {}, "kinds": {}})]
    ['The pipeline has no blocks yet']
    """
    if not document.blocks:
        return [Problem(None, None, "info", "The pipeline has no blocks yet", hint="Drag one from the palette.")]
    problems = []
    for id_, block in document.blocks.items():
        entry = find_block(catalog, block.type)
        if entry is None:
            problems.append(_from_error(unknown_block(catalog, block.type, id_)))
            continue
        problems += check_params(id_, block, entry)
        problems += _check_inputs(document, id_, block, entry)
    for wire in document.wires:
        error = wire_error(document, wire, catalog)
        if error is not None:
            problems.append(_from_error(error))
    problems += _check_cycle(document)
    problems += _check_use(document)
    return problems


def errors_in(problems: list[Problem]) -> list[Problem]:
    """Those that keep a pipeline from running."""
    return [problem for problem in problems if problem.severity == "error"]


def check_params(id_: str, block: Block, entry: Mapping[str, Any]) -> list[Problem]:
    """Problems of one block's parameters, at most one a field."""
    validator = _validator(canonical_json(entry["params"]["schema"]))
    found: dict[str | None, Problem] = {}
    for error in validator.iter_errors(block.params):
        problem = _from_schema(id_, error, entry)
        found.setdefault(problem.field, problem)
    return list(found.values())


@lru_cache(maxsize=1024)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def _from_error(error: UserError) -> Problem:
    return Problem(error.block, error.field, "error", error.template, error.values, error.hint_template)


def _from_schema(id_: str, error: ValidationError, entry: Mapping[str, Any]) -> Problem:
    name = str(error.absolute_path[0]) if error.absolute_path else None
    title = entry["params"]["schema"].get("properties", {}).get(name, {}).get("title", name)
    if error.validator == "anyOf":
        error = best_match(error.context or []) or error
    limit, given = error.validator_value, _short(error.instance)
    if error.validator == "additionalProperties":
        known = entry["params"]["schema"].get("properties", {})
        extra = next((key for key in error.instance if key not in known), "?")
        return Problem(
            id_, str(extra), "error", "The block {type} has no parameter {name}",
            {"type": entry["id"], "name": str(extra), "known": ", ".join(known) or "-"}, "It knows: {known}.",
        )
    if error.validator == "required":
        missing = next((key for key in limit if key not in error.instance), "?")
        titled = entry["params"]["schema"]["properties"].get(missing, {}).get("title", missing)
        return Problem(id_, str(missing), "error", "{title} must be set", {"title": titled})
    words = {
        "minimum": "{title} must be at least {limit}, not {given}",
        "maximum": "{title} must be at most {limit}, not {given}",
        "exclusiveMinimum": "{title} must be more than {limit}, not {given}",
        "exclusiveMaximum": "{title} must be less than {limit}, not {given}",
        "enum": "{title} must be one of {limit}, not {given}",
        "const": "{title} must be {limit}, not {given}",
        "type": "{title} must be of type {limit}, not {given}",
        "maxLength": "{title} must have at most {limit} characters",
        "minItems": "{title} must have at least {limit} entries",
        "maxItems": "{title} must have at most {limit} entries",
    }.get(str(error.validator))
    if words is None:
        return Problem(id_, name, "error", "{title}: {problem}", {"title": title, "problem": error.message[:200]})
    if isinstance(limit, list):
        limit = ", ".join(str(item) for item in limit)
    return Problem(id_, name, "error", words, {"title": title, "limit": limit, "given": given})


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_inputs(document: Document, id_: str, block: Block, entry: Mapping[str, Any]) -> list[Problem]:
    if block.bypass:
        return []
    problems = []
    for port in entry["inputs"]:
        wires = document.wires_into(id_, port["name"])
        if not wires and not port["optional"]:
            problems.append(
                Problem(
                    id_, port["name"], "error", "The input {port} is not connected",
                    {"port": port["name"], "kinds": ", ".join(port["kinds"])}, "Connect an output of kind {kinds}.",
                )
            )
        if len(wires) > 1 and not port["many"]:
            problems.append(
                Problem(id_, port["name"], "error", "The input {port} takes one wire, it has {count}",
                        {"port": port["name"], "count": len(wires)})
            )
    return problems


def _check_cycle(document: Document) -> list[Problem]:
    circle = cycle_in(document.blocks, [(w.source_block, w.target_block) for w in document.wires])
    if circle is None:
        return []
    path = " -> ".join([*circle, circle[0]])
    return [
        Problem(circle[0], None, "error", "These blocks form a circle: {path}", {"path": path},
                "Remove one of the wires between them.")
    ]


def _check_use(document: Document) -> list[Problem]:
    """Blocks that nothing is connected to, in a pipeline that has wires: probably forgotten."""
    if not document.wires or len(document.blocks) == 1:
        return []
    used = {w.source_block for w in document.wires} | {w.target_block for w in document.wires}
    return [
        Problem(id_, None, "info", "Nothing is connected to this block")
        for id_ in document.blocks
        if id_ not in used
    ]
