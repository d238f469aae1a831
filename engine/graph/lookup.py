"""Reading the catalog as data: find a block, ask whether two ports fit.

Called by the validator, the operations and the executor. Must not know how a catalog is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Catalog = dict[str, Any]


def find_block(catalog: Mapping[str, Any], type_: str) -> dict[str, Any] | None:
    """The catalog's entry of a block type, or None."""
    entry: dict[str, Any] | None = catalog["blocks"].get(type_)
    return entry


def fits(catalog: Mapping[str, Any], output_kind: str, input_kinds: list[str]) -> bool:
    """True when an output of this kind may be wired into an input that takes these kinds."""
    ancestors = catalog["kinds"].get(output_kind, [output_kind])
    return any(kind in ancestors for kind in input_kinds)
