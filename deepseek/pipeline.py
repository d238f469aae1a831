"""Pipelines as values: what a ``Model`` or ``Dataset`` remembers of how it was made.

Called by ``Model`` and ``Dataset``, which add one block for every verb and never change a block that is there. A
pipeline document is written from these values only when something runs or a person asks for it, so equal steps get
equal block ids, and with them equal seeds, cache keys and digests. Must not know the engine or any block.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FORMAT = "deepseek.pipeline/1"
COLUMN_WIDTH = 320
ROW_HEIGHT = 420
MARGIN = 80


@dataclass(frozen=True, eq=False)
class Step:
    """One block and the outputs it reads. Steps that do the same are equal.

    Parameters
    ----------
    name
        Block id that it gets when the id is free.
    type
        Block type of the catalog.
    params
        Canonical JSON of its parameters.
    inputs
        (port, output) pairs, the wires into it; the first one leads to what the step continues.
    key
        Digest of all that, and of the steps it reads: comparing two long pipelines costs one comparison.
    """

    name: str
    type: str
    params: str
    inputs: tuple[tuple[str, Output], ...] = ()
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        wires = [[port, output.step.key, output.port] for port, output in self.inputs]
        text = json.dumps([self.name, self.type, self.params, wires])
        object.__setattr__(self, "key", hashlib.sha256(text.encode()).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def out(self, port: str) -> Output:
        """One of its outputs."""
        return Output(self, port)


@dataclass(frozen=True)
class Output:
    """An output port of a step."""

    step: Step
    port: str


def step(
    name: str,
    type_: str,
    params: Mapping[str, Any] | None = None,
    **inputs: Output | Sequence[Output] | None,
) -> Step:
    """Make a step; parameters and inputs that are None are left out.

    >>> data = step("data", "data.digits")
    >>> step("split", "data.split", {"test": 0.2, "seed": None}, dataset=data.out("dataset")).params
    '{"test":0.2}'
    """
    given = {key: value for key, value in (params or {}).items() if value is not None}
    wires: list[tuple[str, Output]] = []
    for port, outputs in inputs.items():
        if outputs is None:
            continue
        wires.extend((port, output) for output in ([outputs] if isinstance(outputs, Output) else outputs))
    text = json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Step(name, type_, text, tuple(wires))


def document(
    targets: Sequence[Step], *, name: str = "From Python", seed: int = 0
) -> tuple[dict[str, Any], dict[Step, str]]:
    """The pipeline document that ends in ``targets``, and the block id of every step.

    Blocks are named in the order a reader meets them, walking from the first target back along the first wires: what a
    model was trained with keeps its ids whatever is added later.

    >>> data = step("data", "data.digits")
    >>> made, ids = document([step("split", "data.split", dataset=data.out("dataset"))])
    >>> made["wires"], ids[data]
    ([['data.dataset', 'split.dataset']], 'data')
    """
    ids: dict[Step, str] = {}
    for found in _walk(targets):
        ids[found] = _free_id(found.name, set(ids.values()))
    blocks = {block_id: {"type": found.type, "params": json.loads(found.params)} for found, block_id in ids.items()}
    wires = [
        [f"{ids[output.step]}.{output.port}", f"{block_id}.{port}"]
        for found, block_id in ids.items()
        for port, output in found.inputs
    ]
    return {
        "format": FORMAT,
        "name": name,
        "seed": seed,
        "blocks": blocks,
        "wires": wires,
        "layout": {"positions": _positions(ids), "notes": [], "frames": []},
    }, ids


def _walk(targets: Sequence[Step]) -> Iterator[Step]:
    """Every step once, each after what it reads; a loop, so that long chains need no deep stack."""
    seen: set[Step] = set()
    stack = [(target, False) for target in reversed(targets)]
    while stack:
        current, is_ready = stack.pop()
        if current in seen:
            continue
        if is_ready:
            seen.add(current)
            yield current
            continue
        stack.append((current, True))
        stack.extend((output.step, False) for _, output in reversed(current.inputs))


def _free_id(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _positions(ids: Mapping[Step, str]) -> dict[str, list[int]]:
    """Columns by the longest way from a source; rows in the order of the document."""
    column: dict[Step, int] = {}
    height: dict[int, int] = {}
    positions: dict[str, list[int]] = {}
    for found, block_id in ids.items():
        place = max((column[output.step] + 1 for _, output in found.inputs), default=0)
        column[found] = place
        row = height.get(place, 0)
        height[place] = row + 1
        positions[block_id] = [MARGIN + place * COLUMN_WIDTH, MARGIN + row * ROW_HEIGHT]
    return positions
