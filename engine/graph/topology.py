"""Order, ancestors and cycles of a graph: pure functions on edges.

Called by the validator, the operations and the executor. Must not know documents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Edges = Iterable[tuple[str, str]]


def successors(nodes: Iterable[str], edges: Edges) -> dict[str, list[str]]:
    """Node -> the nodes its edges lead to, each once, in edge order."""
    table: dict[str, dict[str, None]] = {node: {} for node in nodes}
    for source, target in edges:
        table[source][target] = None
    return {node: list(targets) for node, targets in table.items()}


def order(nodes: Iterable[str], edges: Edges) -> list[str]:
    """Nodes so that every edge points forward; ties keep the order given (Kahn, 1962).

    >>> order(["c", "a", "b"], [("a", "b"), ("b", "c")])
    ['a', 'b', 'c']

    Nodes on or behind a cycle are left out: compare lengths, or ask :func:`cycle_in`.
    """
    nodes = list(nodes)
    table = successors(nodes, edges)
    waiting = dict.fromkeys(nodes, 0)
    for targets in table.values():
        for target in targets:
            waiting[target] += 1
    ready = deque(node for node in nodes if waiting[node] == 0)
    result = []
    while ready:
        node = ready.popleft()
        result.append(node)
        for target in table[node]:
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return result


def cycle_in(nodes: Iterable[str], edges: Edges) -> list[str] | None:
    """The nodes of one cycle in order, or None.

    >>> cycle_in("abc", [("a", "b"), ("b", "a")])
    ['b', 'a']
    """
    nodes = list(nodes)
    edges = list(edges)
    done = set(order(nodes, edges))
    left = {node for node in nodes if node not in done}
    if not left:
        return None
    # Every node left has a predecessor that is left: walking backwards must close a circle.
    before = {target: source for source, target in edges if source in left and target in left}
    path: list[str] = []
    node = next(node for node in nodes if node in left)
    while node not in path:
        path.append(node)
        node = before[node]
    return path[path.index(node) :][::-1]


def descendants(start: Iterable[str], table: Mapping[str, list[str]]) -> set[str]:
    """Everything that can be reached from ``start``, itself included."""
    seen = set(start)
    queue = list(seen)
    while queue:
        for target in table[queue.pop()]:
            if target not in seen:
                seen.add(target)
                queue.append(target)
    return seen


def ancestors(start: Iterable[str], nodes: Iterable[str], edges: Edges) -> set[str]:
    """Everything that ``start`` depends on, itself included."""
    return descendants(start, successors(nodes, [(target, source) for source, target in edges]))
