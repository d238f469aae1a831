"""Places for blocks that have none: columns by depth, rows in document order.

Called where a document comes in from a program or a file, which may carry no positions. Pure data.
"""

from __future__ import annotations

from engine.graph.document import Document
from engine.graph.topology import order

COLUMN_PX, ROW_PX = 320, 420
LEFT_PX, TOP_PX = 80, 120


def arrange(document: Document) -> Document:
    """The document with a position for every block; those that have one keep it.

    Examples
    --------
    >>> from engine.graph.document import parse_document
    >>> blocks = {"a": {"type": "x.y"}, "b": {"type": "x.y"}}
    >>> bare = parse_document({"format": "deepseek.pipeline/1", "blocks": blocks, "wires": [["a.o", "b.i"]]})
    >>> arrange(bare).layout["positions"]
    {'a': [80, 120], 'b': [400, 120]}
    """
    known = document.layout.get("positions", {})
    if all(id_ in known for id_ in document.blocks):
        return document
    edges = [(w.source_block, w.target_block) for w in document.wires]
    depth = dict.fromkeys(document.blocks, 0)
    for id_ in order(document.blocks, edges):
        for source, target in edges:
            if source == id_:
                depth[target] = max(depth[target], depth[id_] + 1)
    rows: dict[int, int] = {}
    positions = dict(known)
    for id_, column in depth.items():
        if id_ in known:
            continue
        row = rows[column] = rows.get(column, -1) + 1
        positions[id_] = [LEFT_PX + column * COLUMN_PX, TOP_PX + row * ROW_PX]
    return document.with_(layout={**document.layout, "positions": positions})
