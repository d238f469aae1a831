"""What is wrong with a pipeline, as data: (document, catalog) -> problems.

Called by the web application, the SDK, the command line and the executor, so all give the same answers. Reads
parameters by their JSON Schema and ports by the catalog's table; imports no block.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, cast

from jsonschema_rs import Draft202012Validator, ValidationError

from engine.artifacts import canonical_json
from engine.errors import UserError, render
from engine.graph.document import Block, Document
from engine.graph.lookup import Catalog, find_block, fits
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
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
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
        problems += _check_inputs(document, id_, block, entry, catalog)
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


_SCHEMA_WORDS = {
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
}


def _from_schema(id_: str, error: ValidationError, entry: Mapping[str, Any]) -> Problem:
    fields = entry["params"]["schema"].get("properties", {})
    name = str(error.instance_path[0]) if error.instance_path else None
    if error.kind.name == "anyOf":
        error = _best_arm(error)
    if error.kind.name == "additionalProperties":
        extra = next((str(key) for key in cast("dict[str, Any]", error.instance) if key not in fields), "?")
        values = {"type": entry["id"], "name": extra, "known": ", ".join(fields) or "-"}
        return Problem(id_, extra, "error", "The block {type} has no parameter {name}", values, "It knows: {known}.")
    if error.kind.name == "required":
        name = str(error.kind.value)
        return Problem(id_, name, "error", "{title} must be set", {"title": fields.get(name, {}).get("title", name)})
    title = fields.get(name or "", {}).get("title", name)
    words = _SCHEMA_WORDS.get(error.kind.name)
    if words is None:
        return Problem(id_, name, "error", "{title}: {problem}", {"title": title, "problem": error.message[:200]})
    limit = error.kind.value
    if isinstance(limit, list):
        limit = ", ".join(str(item) for item in limit)
    return Problem(id_, name, "error", words, {"title": title, "limit": limit, "given": _short(error.instance)})


def _best_arm(error: ValidationError) -> ValidationError:
    """Of the arms of an optional parameter, the one whose type fits but whose value does not."""
    context: list[list[ValidationError]] = getattr(error.kind, "context", [])
    arms = [arm[0] for arm in context if arm]
    return next((arm for arm in arms if arm.kind.name != "type"), arms[0] if arms else error)


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _check_bypass(document: Document, id_: str, entry: Mapping[str, Any], catalog: Catalog) -> list[Problem]:
    """A bypassed block passes an input on; an output in use needs an input that fits it."""
    used = {w.source_port for w in document.wires if w.source_block == id_}
    wired = [port for port in entry["inputs"] if document.wires_into(id_, port["name"])]
    return [
        Problem(id_, None, "error", "Bypassed, it has nothing to pass on to its output {port}", {"port": port["name"]})
        for port in entry["outputs"]
        if port["name"] in used
        and not any(_related(catalog, port["kind"], kind) for source in wired for kind in source["kinds"])
    ]


def _related(catalog: Catalog, one: str, other: str) -> bool:
    return fits(catalog, one, [other]) or fits(catalog, other, [one])


def _check_inputs(
    document: Document, id_: str, block: Block, entry: Mapping[str, Any], catalog: Catalog
) -> list[Problem]:
    if block.bypass:
        return _check_bypass(document, id_, entry, catalog)
    problems = []
    for port in entry["inputs"]:
        wires = document.wires_into(id_, port["name"])
        if not wires and not (port["optional"] or port["many"]):
            problems.append(
                Problem(
                    id_,
                    port["name"],
                    "error",
                    "The input {port} is not connected",
                    {"port": port["name"], "kinds": ", ".join(port["kinds"])},
                    "Connect an output of kind {kinds}.",
                )
            )
        if len(wires) > 1 and not port["many"]:
            problems.append(
                Problem(
                    id_,
                    port["name"],
                    "error",
                    "The input {port} takes one wire, it has {count}",
                    {"port": port["name"], "count": len(wires)},
                )
            )
    return problems


def _check_cycle(document: Document) -> list[Problem]:
    circle = cycle_in(document.blocks, [(w.source_block, w.target_block) for w in document.wires])
    if circle is None:
        return []
    path = " -> ".join([*circle, circle[0]])
    return [
        Problem(
            circle[0],
            None,
            "error",
            "These blocks form a circle: {path}",
            {"path": path},
            "Remove one of the wires between them.",
        )
    ]


def _check_use(document: Document) -> list[Problem]:
    """Blocks that nothing is connected to, in a pipeline that has wires: probably forgotten."""
    if not document.wires or len(document.blocks) == 1:
        return []
    used = {w.source_block for w in document.wires} | {w.target_block for w in document.wires}
    return [
        Problem(id_, None, "info", "Nothing is connected to this block") for id_ in document.blocks if id_ not in used
    ]
