"""Start and stop of a whole studio: the first start of a new home, the next one, and Ctrl-C.

    python benchmarks/start.py [--repeat 3] [--json FILE]

From `deepseek up` to the printed login link, with `/healthz` at 200 before it. Each figure is the median.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

from tests.studio import RunningStudio

LIMITS_S = {"second start": 10.0}


def measure(home: Path) -> dict[str, float]:
    """Seconds of one first start, one second start, and the stop after it."""
    seconds = {}
    for name in ("first start", "second start"):
        started = time.perf_counter()
        studio = RunningStudio(home, DEEPSEEK_CATALOG=str(home / "catalog.json"))
        studio.wait_started(timeout_s=300)
        seconds[name] = time.perf_counter() - started
        started = time.perf_counter()
        studio.stop()
        seconds["stop"] = time.perf_counter() - started
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepseek-start-") as folder:
        runs = [measure(Path(folder) / str(number)) for number in range(args.repeat)]
    medians = {name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]}
    for name, value in medians.items():
        limit = LIMITS_S.get(name)
        verdict = "" if limit is None else f"   limit {limit:.0f} s   {'ok' if value <= limit else 'MISSED'}"
        print(f"{name:<14} {value:6.2f} s{verdict}")
    if args.json:
        args.json.write_text(json.dumps({"machine": platform.processor(), "seconds": medians, "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
