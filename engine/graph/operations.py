"""The closed set of edits. Mouse, REST, notebook and planner all change a pipeline through these.

Called by the web application (which stores each one) and the SDK. An operation either applies or raises a
UserError that says why; :func:`apply_operations` applies all of a list or none. A parameter out of range is kept,
because half-typed values are part of editing: the validator marks it and the run refuses it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.errors import UserError
from engine.graph.document import (
    BLOCK_ID,
    MAX_BLOCKS,
    Block,
    Document,
    Wire,
    is_port,
    read_block,
    read_position,
    read_seed,
)
from engine.graph.lookup import Catalog, find_block, fits
from engine.graph.topology import cycle_in, descendants, successors

Operation = Mapping[str, Any]
MAX_OPERATIONS = 5_000
MAX_NOTES = 500
_MAX_VALUE_CHARS = 200_000


def apply_operations(document: Document, operations: Sequence[Operation], catalog: Catalog) -> Document:
    """Apply operations in order and return the new document.

    Raises
    ------
    UserError
        For the first that does not apply; the document given is unchanged.

    Examples
    --------
    >>> apply_operations(Document(), [{"op": "set_seed", "seed": 7}], {"blocks": {}, "kinds": {}}).seed
    7
    """
    if len(operations) > MAX_OPERATIONS:
        raise UserError("At most {most} operations at once", most=MAX_OPERATIONS)
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise UserError("An operation is an object with op")
        name = operation.get("op")
        applier = _APPLIERS.get(name) if isinstance(name, str) else None
        if applier is None:
            raise UserError("There is no operation {op}", op=str(name)[:60])
        try:
            document = applier(document, operation, catalog)
        except KeyError as error:
            raise UserError("The operation {op} needs {key}", op=name, key=str(error.args[0])) from None
    return document


def _block(document: Document, id_: Any) -> Block:
    if not isinstance(id_, str) or id_ not in document.blocks:
        raise UserError("There is no block {id}", id=str(id_)[:80])
    return document.blocks[id_]


def _entry(catalog: Catalog, type_: str, id_: str) -> dict[str, Any]:
    entry = find_block(catalog, type_)
    if entry is None:
        raise unknown_block(catalog, type_, id_)
    return entry


def unknown_block(catalog: Catalog, type_: str, id_: str | None = None) -> UserError:
    """The error for a block type that the catalog does not have, with the nearest one it has."""
    close = difflib.get_close_matches(type_, catalog["blocks"], n=1)
    if close:
        return UserError(
            "There is no block {type}", block=id_, hint="Did you mean {close}?", type=type_[:80], close=close[0]
        )
    return UserError(
        "There is no block {type}",
        block=id_,
        type=type_[:80],
        hint="It may come from a package that is not installed here.",
    )


def _replace_block(document: Document, id_: str, block: Block) -> Document:
    return document.with_(blocks={**document.blocks, id_: block})


def _layout(document: Document, **changes: Any) -> Document:
    return document.with_(layout={**document.layout, **changes})


def _add_block(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_ = operation["id"]
    body = {k: operation[k] for k in ("type", "params", "label", "bypass") if operation.get(k) is not None}
    block = read_block(id_, body)
    if id_ in document.blocks:
        raise UserError("There is already a block {id}", id=id_)
    if len(document.blocks) >= MAX_BLOCKS:
        raise UserError("A pipeline has at most {most} blocks", most=MAX_BLOCKS)
    entry = _entry(catalog, block.type, id_)
    for name in block.params:
        _check_param_name(entry, id_, name)
    document = document.with_(blocks={**document.blocks, id_: block})
    if operation.get("position") is not None:
        return _move(document, {"positions": {id_: operation["position"]}}, catalog)
    return document


def _remove_block(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_ = operation["id"]
    _block(document, id_)
    positions = {k: v for k, v in document.layout.get("positions", {}).items() if k != id_}
    return _layout(
        document.with_(
            blocks={k: v for k, v in document.blocks.items() if k != id_},
            wires=tuple(w for w in document.wires if id_ not in (w.source_block, w.target_block)),
        ),
        positions=positions,
    )


def _check_param_name(entry: Mapping[str, Any], id_: str, name: Any) -> None:
    known = entry["params"]["schema"].get("properties", {})
    if name in known:
        return
    close = difflib.get_close_matches(str(name), known, n=1)
    raise UserError(
        "The block {type} has no parameter {name}",
        block=id_,
        field=str(name)[:80],
        type=entry["id"],
        name=str(name)[:80],
        hint="Did you mean {close}?" if close else "It knows: {known}.",
        **({"close": close[0]} if close else {"known": ", ".join(known) or "-"}),
    )


def _set_param(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_, name, value = operation["id"], operation["name"], operation["value"]
    block = _block(document, id_)
    _check_param_name(_entry(catalog, block.type, id_), id_, name)
    if len(json.dumps(value)) > _MAX_VALUE_CHARS:
        raise UserError("The value of {name} is too long", block=id_, field=name, name=name)
    return _replace_block(document, id_, Block(block.type, {**block.params, name: value}, block.label, block.bypass))


def _reset_param(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_, name = operation["id"], operation["name"]
    block = _block(document, id_)
    params = {k: v for k, v in block.params.items() if k != name}
    return _replace_block(document, id_, Block(block.type, params, block.label, block.bypass))


def _read_wire(document: Document, operation: Operation) -> Wire:
    source, target = operation["from"], operation["to"]
    if not is_port(source) or not is_port(target):
        raise UserError('A wire goes from "block.output" to "block.input"')
    wire = Wire(source, target)
    _block(document, wire.source_block)
    _block(document, wire.target_block)
    return wire


def find_port(ports: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The port with this name, or None."""
    return next((port for port in ports if port["name"] == name), None)


def wire_error(document: Document, wire: Wire, catalog: Catalog) -> UserError | None:
    """Why these two ports do not fit, or None when they do. Unknown block types are not judged here."""
    source = find_block(catalog, document.blocks[wire.source_block].type)
    target = find_block(catalog, document.blocks[wire.target_block].type)
    if source is None or target is None:
        return None
    output = find_port(source["outputs"], wire.source_port)
    if output is None:
        return UserError(
            "The block {type} has no output {port}",
            block=wire.source_block,
            field=wire.source_port,
            type=source["id"],
            port=wire.source_port,
        )
    port = find_port(target["inputs"], wire.target_port)
    if port is None:
        return UserError(
            "The block {type} has no input {port}",
            block=wire.target_block,
            field=wire.target_port,
            type=target["id"],
            port=wire.target_port,
        )
    if not fits(catalog, output["kind"], port["kinds"]):
        return UserError(
            "{output} gives {given}, but {input} takes {taken}",
            block=wire.target_block,
            field=wire.target_port,
            output=wire.source,
            given=output["kind"],
            input=wire.target,
            taken=", ".join(port["kinds"]),
        )
    return None


def _connect(document: Document, operation: Operation, catalog: Catalog) -> Document:
    wire = _read_wire(document, operation)
    for id_ in (wire.source_block, wire.target_block):
        _entry(catalog, document.blocks[id_].type, id_)
    error = wire_error(document, wire, catalog)
    if error is not None:
        raise error
    target = _entry(catalog, document.blocks[wire.target_block].type, wire.target_block)
    port = find_port(target["inputs"], wire.target_port)
    if wire in document.wires:
        return document
    kept = document.wires
    if port is not None and not port["many"]:
        kept = tuple(w for w in kept if w.target != wire.target)
    edges = [(w.source_block, w.target_block) for w in kept]
    if wire.source_block in descendants([wire.target_block], successors(document.blocks, edges)):
        circle = cycle_in(document.blocks, [*edges, (wire.source_block, wire.target_block)])
        raise UserError(
            "This wire would close a circle: {path}",
            block=wire.target_block,
            field=wire.target_port,
            path=" -> ".join([*(circle or []), (circle or ["?"])[0]]),
        )
    return document.with_(wires=(*kept, wire))


def _disconnect(document: Document, operation: Operation, catalog: Catalog) -> Document:
    gone = (operation["from"], operation["to"])
    return document.with_(wires=tuple(w for w in document.wires if tuple(w) != gone))


def _rename(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_, label = operation["id"], operation["label"]
    block = _block(document, id_)
    return _replace_block(document, id_, read_block(id_, {**block.to_json(), "label": label}))


def _rename_id(document: Document, operation: Operation, catalog: Catalog) -> Document:
    old, new = operation["id"], operation["new_id"]
    _block(document, old)
    if not isinstance(new, str) or not BLOCK_ID.fullmatch(new):
        raise UserError("{id} is not a block id", id=str(new)[:80], block=old)
    if new in document.blocks:
        raise UserError("There is already a block {id}", id=new)

    def port(end: str) -> str:
        block, name = end.split(".")
        return f"{new}.{name}" if block == old else end

    positions = {new if k == old else k: v for k, v in document.layout.get("positions", {}).items()}
    return _layout(
        document.with_(
            blocks={new if k == old else k: v for k, v in document.blocks.items()},
            wires=tuple(Wire(port(w.source), port(w.target)) for w in document.wires),
        ),
        positions=positions,
    )


def _bypass(document: Document, operation: Operation, catalog: Catalog) -> Document:
    id_, value = operation["id"], operation["value"]
    block = _block(document, id_)
    if not isinstance(value, bool):
        raise UserError("bypass is true or false", block=id_)
    return _replace_block(document, id_, Block(block.type, block.params, block.label, value))


def _move(document: Document, operation: Operation, catalog: Catalog) -> Document:
    places = operation["positions"]
    if not isinstance(places, Mapping):
        raise UserError("positions is an object: block id -> [x, y]")
    known = {id_: read_position(place) for id_, place in places.items() if id_ in document.blocks}
    return _layout(document, positions={**document.layout.get("positions", {}), **known})


def _set_seed(document: Document, operation: Operation, catalog: Catalog) -> Document:
    return document.with_(seed=read_seed(operation["seed"]))


def _set_name(document: Document, operation: Operation, catalog: Catalog) -> Document:
    name = operation["name"]
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        raise UserError("The name of a pipeline is a text of 1 to 200 characters", field="name")
    return document.with_(name=name.strip())


def _set_note(document: Document, operation: Operation, catalog: Catalog) -> Document:
    note = {
        "id": str(operation["id"])[:64],
        "text": str(operation["text"])[:5_000],
        "position": read_position(operation["position"]),
    }
    if operation.get("size") is not None:
        note["size"] = read_position(operation["size"])
    notes = [n for n in document.layout.get("notes", []) if n.get("id") != note["id"]]
    if len(notes) >= MAX_NOTES:
        raise UserError("A pipeline has at most {most} notes", most=MAX_NOTES)
    return _layout(document, notes=[*notes, note])


def _remove_note(document: Document, operation: Operation, catalog: Catalog) -> Document:
    notes = [n for n in document.layout.get("notes", []) if n.get("id") != operation["id"]]
    return _layout(document, notes=notes)


_APPLIERS: dict[str, Callable[[Document, Operation, Catalog], Document]] = {
    "add_block": _add_block,
    "remove_block": _remove_block,
    "set_param": _set_param,
    "reset_param": _reset_param,
    "connect": _connect,
    "disconnect": _disconnect,
    "rename": _rename,
    "rename_id": _rename_id,
    "bypass": _bypass,
    "move": _move,
    "set_seed": _set_seed,
    "set_name": _set_name,
    "set_note": _set_note,
    "remove_note": _remove_note,
}
