"""How long something takes, beside something else: in turns, so that a busy machine slows all alike.

Called by compression and whatever compares runtimes. Must not know what it times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP = 3
LEAST_ROUNDS, MOST_ROUNDS = 10, 2000


@dataclass(frozen=True)
class Latency:
    """Times of one call in milliseconds: the median, and what 95 and 99 of 100 calls keep under."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    calls: int


def compare(
    calls: Mapping[str, Callable[[], object]], budget_s: float = 2.0, check: Callable[[], None] = lambda: None
) -> dict[str, Latency]:
    """The latency of each call, warm: what ran before it left its own data in the caches, so it is called once unseen.

    Parameters
    ----------
    calls
        Name -> what to time; each is called a few times before it counts.
    budget_s
        Time for all of them together; at least 10 rounds are made, and at most 2000.
    check
        Called before each round; may raise to stop.

    Examples
    --------
    >>> found = compare({"short": lambda: None, "long": lambda: sum(range(50_000))}, budget_s=0.05)
    >>> found["short"].p50_ms < found["long"].p50_ms
    True
    """
    for call in calls.values():
        for _ in range(WARM_UP):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    started, rounds = time.perf_counter(), 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and time.perf_counter() - started < budget_s):
        check()
        for name, call in calls.items():
            if len(calls) > 1:
                call()
            before = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - before))
        rounds += 1
    return {name: _latency(taken) for name, taken in times.items()}


def _latency(taken: list[float]) -> Latency:
    p50, p95, p99 = (float(np.percentile(taken, share)) for share in (50, 95, 99))
    return Latency(p50, p95, p99, len(taken))
