"""The pipeline document: what runs (seed, blocks, wires) apart from how it looks (layout).

Called by everybody who reads or writes a pipeline. Must not know the catalog: an unknown block type is a
document that can be read, drawn and repaired, and only :mod:`engine.graph.validate` minds it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from engine.artifacts import digest_of
from engine.errors import UserError
from engine.graph.migrations import FORMAT, migrate

BLOCK_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
PORT = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}")
MAX_BYTES = 4 * 2**20
MAX_BLOCKS = 5_000
MAX_SEED = 2**32 - 1
_KEYS = {"format", "name", "seed", "blocks", "wires", "layout"}
_BLOCK_KEYS = {"type", "params", "label", "bypass"}


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a pipeline."""

    type: str
    params: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    bypass: bool = False

    def to_json(self) -> dict[str, Any]:
        """The block as JSON; what has its default is left out."""
        body: dict[str, Any] = {"type": self.type, "params": self.params}
        if self.label is not None:
            body["label"] = self.label
        if self.bypass:
            body["bypass"] = True
        return body


class Wire(NamedTuple):
    """A wire from an output to an input, each as ``block.port``."""

    source: str
    target: str

    @property
    def source_block(self) -> str:
        """The block it leaves."""
        return self.source.split(".")[0]

    @property
    def source_port(self) -> str:
        """The output it leaves."""
        return self.source.split(".")[1]

    @property
    def target_block(self) -> str:
        """The block it enters."""
        return self.target.split(".")[0]

    @property
    def target_port(self) -> str:
        """The input it enters."""
        return self.target.split(".")[1]


@dataclass(frozen=True, slots=True)
class Document:
    """A pipeline. Never changed in place: an edit makes a new one."""

    name: str = "Untitled"
    seed: int = 0
    blocks: dict[str, Block] = field(default_factory=dict)
    wires: tuple[Wire, ...] = ()
    layout: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document as JSON, keys in a stable order."""
        return {
            "format": FORMAT,
            "name": self.name,
            "seed": self.seed,
            "blocks": {id_: block.to_json() for id_, block in self.blocks.items()},
            "wires": [list(wire) for wire in self.wires],
            "layout": {
                "positions": self.layout.get("positions", {}),
                "notes": self.layout.get("notes", []),
                "frames": self.layout.get("frames", []),
            },
        }

    def run_digest(self) -> str:
        """Digest of what runs; names, labels, positions and notes do not enter it."""
        return digest_of(
            {
                "seed": self.seed,
                "blocks": {
                    id_: {"type": b.type, "params": b.params, "bypass": b.bypass} for id_, b in self.blocks.items()
                },
                # Wires into one input keep their order, which a list input reads; other orders mean nothing.
                "wires": sorted(
                    ([wire.source, wire.target, self._rank(wire)] for wire in self.wires),
                    key=lambda item: (str(item[1]), int(item[2])),
                ),
            }
        )

    def _rank(self, wire: Wire) -> int:
        return [w for w in self.wires if w.target == wire.target].index(wire)

    def wires_into(self, block: str, port: str | None = None) -> list[Wire]:
        """Wires that enter a block, or one of its inputs, in document order."""
        return [w for w in self.wires if w.target_block == block and (port is None or w.target_port == port)]

    def with_(self, **changes: Any) -> Document:
        """A copy with other fields."""
        return replace(self, **changes)


def parse_document(source: Any) -> Document:
    """Read a pipeline document.

    Parameters
    ----------
    source
        A JSON object, or its text or UTF-8 bytes.

    Raises
    ------
    UserError
        Saying what is wrong and where; older formats are migrated, newer ones refused.

    Examples
    --------
    >>> document = parse_document({"format": "deepseek.pipeline/1", "blocks": {"data": {"type": "data.digits"}}})
    >>> document.blocks["data"].type
    'data.digits'
    """
    body = migrate(_load(source))
    unknown = sorted(set(body) - _KEYS)
    if unknown:
        raise UserError(
            "A pipeline has no {key}", key=unknown[0], hint="It knows: {keys}.", keys=", ".join(sorted(_KEYS))
        )
    name = body.get("name", "Untitled")
    if not isinstance(name, str) or len(name) > 200:
        raise UserError("The name of a pipeline is a text of at most 200 characters")
    blocks = _read_blocks(body.get("blocks", {}))
    return Document(
        name=name,
        seed=read_seed(body.get("seed", 0)),
        blocks=blocks,
        wires=_read_wires(body.get("wires", []), blocks),
        layout=_read_layout(body.get("layout", {})),
    )


def read_seed(value: Any) -> int:
    """A seed, checked."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SEED:
        raise UserError("The seed is a whole number from 0 to {most}", field="seed", most=MAX_SEED)
    return value


def read_block(id_: Any, body: Any) -> Block:
    """One block of a document, checked."""
    if not isinstance(id_, str) or not BLOCK_ID.fullmatch(id_):
        raise UserError(
            "{id} is not a block id",
            id=str(id_)[:80],
            hint="An id starts with a small letter and goes on with small letters, digits and _.",
        )
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise UserError("A block is an object with a type", block=id_)
    unknown = sorted(set(body) - _BLOCK_KEYS)
    if unknown:
        raise UserError("A block has no {key}", block=id_, field=unknown[0], key=unknown[0])
    params, label = body.get("params", {}), body.get("label")
    if not isinstance(params, dict):
        raise UserError("The params of a block are an object", block=id_)
    if label is not None and (not isinstance(label, str) or len(label) > 200):
        raise UserError("The label of a block is a text of at most 200 characters", block=id_)
    if not isinstance(body.get("bypass", False), bool):
        raise UserError("bypass is true or false", block=id_)
    return Block(body["type"], dict(params), label, body.get("bypass", False))


def _load(source: Any) -> dict[str, Any]:
    if isinstance(source, str | bytes):
        if len(source) > MAX_BYTES:
            raise UserError("The file is larger than {mib} MiB: that is no pipeline", mib=MAX_BYTES >> 20)
        try:
            source = json.loads(source)
        except UnicodeDecodeError:
            raise UserError("The file is not UTF-8 text, so it is no pipeline") from None
        except RecursionError:
            raise UserError("The file is nested too deeply to be a pipeline") from None
        except json.JSONDecodeError as error:
            raise UserError(
                "The file is not JSON: {problem} in line {line}, column {column}",
                problem=error.msg,
                line=error.lineno,
                column=error.colno,
            ) from None
    if not isinstance(source, dict):
        raise UserError("A pipeline is a JSON object", hint='It begins with {"format": "deepseek.pipeline/1", ...}.')
    return source


def _read_blocks(body: Any) -> dict[str, Block]:
    if not isinstance(body, dict):
        raise UserError("blocks is an object: block id -> block")
    if len(body) > MAX_BLOCKS:
        raise UserError("A pipeline has at most {most} blocks, this one has {count}", most=MAX_BLOCKS, count=len(body))
    return {id_: read_block(id_, block) for id_, block in body.items()}


def _read_wires(body: Any, blocks: dict[str, Block]) -> tuple[Wire, ...]:
    if not isinstance(body, list):
        raise UserError('wires is a list of ["block.output", "block.input"]')
    wires: dict[Wire, None] = {}
    for item in body:
        if not isinstance(item, list) or len(item) != 2 or not all(is_port(end) for end in item):
            raise UserError('A wire is ["block.output", "block.input"], not {wire}', wire=str(item)[:120])
        wire = Wire(*item)
        for end in (wire.source_block, wire.target_block):
            if end not in blocks:
                raise UserError(
                    "The wire {source} -> {target} names the block {missing}, which is not in the pipeline",
                    source=wire.source,
                    target=wire.target,
                    missing=end,
                )
        wires[wire] = None
    return tuple(wires)


def is_port(value: object) -> bool:
    """True for ``block.port``."""
    return isinstance(value, str) and PORT.fullmatch(value) is not None


def _read_layout(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise UserError("layout is an object")
    positions, notes, frames = body.get("positions", {}), body.get("notes", []), body.get("frames", [])
    if not isinstance(positions, dict) or not isinstance(notes, list) or not isinstance(frames, list):
        raise UserError("layout holds positions (an object), notes and frames (lists)")
    return {
        "positions": {id_: read_position(place) for id_, place in positions.items()},
        "notes": notes,
        "frames": frames,
    }


def read_position(value: Any) -> list[float]:
    """``[x, y]``, checked."""
    numbers = isinstance(value, list | tuple) and len(value) == 2
    if not numbers or not all(isinstance(v, int | float) and abs(v) < 1e7 for v in value):
        raise UserError("A position is [x, y] in pixels, not {value}", value=str(value)[:80])
    return [round(v, 2) for v in value]
