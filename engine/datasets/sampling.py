"""Which samples to keep and how to divide them: pure functions on labels.

Called by data blocks. Must not know what the samples are.
"""

from __future__ import annotations

import numpy as np


def first_of_each_class(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Positions of the first samples, evenly from every class and in their order; no seed takes part.

    Parameters
    ----------
    labels
        int64 (n,).
    limit
        How many to keep; None or more than there are keeps all.

    Examples
    --------
    >>> first_of_each_class(np.array([0, 0, 0, 1, 1, 1, 2]), 5).tolist()
    [0, 1, 3, 4, 6]
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels), dtype=np.int64)
    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    turn = np.arange(len(labels)) - np.searchsorted(ordered, ordered, side="left")
    kept = order[np.lexsort((ordered, turn))[:limit]]
    return np.sort(kept).astype(np.int64)


def split_positions(
    count: int, shares: dict[str, float], *, labels: np.ndarray | None, seed: int | None
) -> dict[str, np.ndarray]:
    """Divide samples into parts.

    Parameters
    ----------
    count
        How many samples there are.
    shares
        Part -> share of the samples, without the first part, which gets the rest.
    labels
        int64 (n,): every part gets its share of every class. None: one share of the whole.
    seed
        Of the shuffle; None keeps the order, so the parts follow each other.

    Returns
    -------
    dict
        Part -> sorted positions; the rest is at ``"rest"``. A class with one sample is in the rest.

    Examples
    --------
    >>> parts = split_positions(10, {"test": 0.2}, labels=np.array([0] * 5 + [1] * 5), seed=0)
    >>> len(parts["rest"]), len(parts["test"])
    (8, 2)
    >>> split_positions(4, {"test": 0.25}, labels=None, seed=None)["test"].tolist()
    [3]
    """
    if seed is None:
        return _in_order(count, shares)
    generator = np.random.default_rng(seed)
    groups = [np.arange(count)] if labels is None else [np.flatnonzero(labels == one) for one in np.unique(labels)]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("rest", *shares)}
    owed = dict.fromkeys(shares, 0.0)
    for group in groups:
        shuffled = generator.permutation(group)
        taken = 0
        for name, share in shares.items():
            owed[name] += share * len(group)
            wanted = min(int(np.floor(owed[name] + 0.5 + 1e-9)), len(group) - 1 - taken)
            wanted = max(0, min(wanted, int(np.ceil(share * len(group)))))
            owed[name] -= wanted
            parts[name].append(shuffled[taken : taken + wanted])
            taken += wanted
        parts["rest"].append(shuffled[taken:])
    return {name: np.sort(np.concatenate(chunks)).astype(np.int64) for name, chunks in parts.items()}


def _in_order(count: int, shares: dict[str, float]) -> dict[str, np.ndarray]:
    sizes = {name: round(share * count) for name, share in shares.items()}
    start = count - sum(sizes.values())
    parts = {"rest": np.arange(start, dtype=np.int64)}
    for name, size in sizes.items():
        parts[name] = np.arange(start, start + size, dtype=np.int64)
        start += size
    return parts
