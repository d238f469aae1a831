"""Times taken in turns."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.runtime.measure import compare


def test_what_ran_before_a_call_does_not_count() -> None:
    ran: list[str] = []

    def made(name: str) -> Callable[[], None]:
        def call() -> None:
            is_cold = ran[-1:] != [name]
            ran.append(name)
            time.sleep(0.02 if is_cold else 0.0)

        return call

    found = compare({name: made(name) for name in ("one", "other")}, budget_s=0.01)
    assert all(latency.p50_ms < 10 for latency in found.values())
