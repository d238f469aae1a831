"""What the executor itself costs: a cached re-run of 50 blocks, the overhead per block, and a metric point.

    python benchmarks/core.py [--repeat 7] [--json FILE]

The pipeline is one `data.digits` with 49 `data.augment` behind it. The re-run is timed in fresh processes from the
first line of the child to `run_done`, imports included, as a supervisor would start it; the overhead is the time of a
block that runs, less the time its own function takes. Medians.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMITS = {"cached re-run of 50 blocks": (1.0, "s"), "overhead per block": (5.0, "ms"), "a metric point": (10.0, "us")}
CHILD = """
import time; started = time.perf_counter()
import json, sys
from pathlib import Path
from engine.api import *
folder = Path(sys.argv[1])
events = []
result = execute(parse_document((folder / "pipeline.json").read_bytes()), catalog=load_catalog(),
    store=ArtifactStore(folder / "store"), cache=LocalCache(folder / "cache"), sink=events.append,
    folder=folder / "run", plan={"device": "cpu", "threads": 1})
took = time.perf_counter() - started
print(json.dumps({"took": took, "status": result.status, "torch": "torch" in sys.modules,
    "cached": sum(e.type == "block_cached" for e in events), "blocks": len(result.outputs)}))
"""


def pipeline(count: int) -> dict[str, Any]:
    blocks: dict[str, Any] = {"data": {"type": "data.digits"}}
    wires = []
    previous = "data"
    for i in range(count - 1):
        blocks[f"b{i}"] = {"type": "data.augment"}
        wires.append([f"{previous}.dataset", f"b{i}.dataset"])
        previous = f"b{i}"
    return {"format": "deepseek.pipeline/1", "name": "Chain", "seed": 0, "blocks": blocks, "wires": wires}


def run_child(folder: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert answer["status"] == "succeeded", answer
    return answer


def measure_cached(folder: Path, repeat: int) -> list[float]:
    (folder / "pipeline.json").write_text(json.dumps(pipeline(50)))
    run_child(folder)
    times = []
    for _ in range(repeat):
        answer = run_child(folder)
        assert answer["cached"] == 50, answer
        assert not answer["torch"], "a cached run imported torch"
        times.append(answer["took"])
    return times


def measure_overhead(folder: Path, repeat: int) -> list[float]:
    """Milliseconds a block, of 49 blocks that run: whole run less the time inside their functions."""
    from engine import api
    from engine.blocks.data import augment

    spec = augment.run.__block_spec__
    inside = 0.0

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        started = time.perf_counter()
        made = spec.run(*args, **kwargs)
        inside += time.perf_counter() - started
        return made

    import dataclasses

    augment.run.__block_spec__ = dataclasses.replace(spec, run=timed)
    timed.__module__ = augment.__name__
    catalog = api.load_catalog()
    document = api.parse_document(pipeline(50))
    plan = {"device": "cpu", "threads": 1}
    times = []
    for i in range(repeat + 1):
        place = folder / f"overhead-{i}"
        common: dict[str, Any] = {"catalog": catalog, "plan": plan, "folder": place / "run"}
        store, cache = api.ArtifactStore(place / "store"), api.LocalCache(place / "cache")
        api.execute(document, store=store, cache=cache, sink=lambda e: None, targets=["data"], **common)
        inside, started = 0.0, time.perf_counter()
        api.execute(document, store=store, cache=cache, sink=lambda e: None, **common)
        if i:  # the first one warms the imports
            times.append((time.perf_counter() - started - inside) / 49 * 1e3)
    augment.run.__block_spec__ = spec
    return times


def measure_metric(repeat: int, points: int = 200_000) -> list[float]:
    """Microseconds that `ctx.metric` takes in the loop that calls it, sending included."""
    from engine.run.context import EventWriter

    times = []
    for _ in range(repeat):
        with EventWriter(lambda event: None) as writer:
            started = time.perf_counter()
            for step in range(points):
                writer.metric("train", "loss", 0.5, step)
            times.append((time.perf_counter() - started) / points * 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["DEEPSEEK_HOME"] = name
        folder = Path(name)
        samples = {
            "cached re-run of 50 blocks": measure_cached(folder, options.repeat),
            "overhead per block": measure_overhead(folder, options.repeat),
            "a metric point": measure_metric(options.repeat),
        }
    print(f"CPU {platform.processor() or platform.machine()}, {os.cpu_count()} cores; median of {options.repeat}")
    rows = []
    for what, values in samples.items():
        limit, unit = LIMITS[what]
        median = statistics.median(values)
        rows.append({"what": what, "median": median, "worst": max(values), "unit": unit, "reach": limit})
        print(f"{what:32} {median:8.3f} {unit:3} (worst {max(values):.3f}; reach <= {limit:g})")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
