"""Adaptive precision: what it recovers from, what it costs, and what it gains.

    python -m benchmarks.precision faults [--seed 0] [--count 20] [--no-peers]
    python -m benchmarks.precision ablation [--seed 1000] [--count 10]
    python -m benchmarks.precision overhead | speed | accuracy [--data FOLDER] [--quick]
    python -m benchmarks.precision all

faults     trainings that fail on purpose (`benchmarks.faults`), in our loop and in Lightning's (in `.venv-peers`);
           every fault is drawn from its seed, the suite from --seed. Overflow of fp16 runs on the CPU's own fp16
           kernels, which the product does not offer there.
ablation   the same with each sampled signal alone and with none, and one fault more (cancellation) that needs one.
overhead   the controller in bf16 and in fp32 against the same precision fixed, and one that never looks.
speed      adaptive, as a run chooses it, against every static setting, one by one; and over a warm plain fp32 loop.
accuracy   paired difference to fp32 over at least 5 seeds, with its 95 % interval.

All take --threads, --rounds and --json FILE. Numbers count only on a quiet machine, but for faults and ablation.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers/bin/python"
SIGNALS = ("cosine", "error", "underflow", "update_underflow")


@contextmanager
def begin_at(start: str) -> Iterator[None]:
    """Trainings begin on a rung, one that the product does not offer here included."""
    from engine.compute.rungs import RUNGS
    from engine.learn import loop
    from engine.learn.precision import make

    def made(*arguments: Any, **options: Any) -> Any:
        return make.make_controller(*arguments, **{**options, "chosen": start})

    rungs = [RUNGS[name] for name in ("fp16", "bf16", "fp32")]
    with ExitStack() as stack:
        stack.enter_context(patch.object(loop, "make_controller", made))
        if start == "fp16":
            stack.enter_context(patch.object(make, "legal_rungs", lambda device: rungs))
            stack.enter_context(patch.object(make, "rung", lambda name, device: RUNGS[name]))
        yield


def run_fault(fault: Any, clean: bool, watch: Any = None) -> tuple[Any, list[str]]:
    """Train through a fault in our loop; returns how it ended and what was decided on the way."""
    import torch

    from benchmarks.faults import BATCH, Network, Outcome, data, judge
    from engine.compute import applied
    from engine.errors import UserError
    from engine.learn import TrainingData, TrainingOptions, loop, train
    from engine.learn.data.batches import Sampler
    from engine.learn.precision import PrecisionOptions
    from engine.runtime.examples import Examples
    from engine.spec import ExecutionPlan

    x, y, held_x, held_y = data(fault, clean)
    before, _ = judge(Network(fault, clean=True), held_x, held_y)
    order = torch.cat(list(Sampler(len(x), BATCH, 0).epoch(0)))
    placed_x, placed_y = torch.empty_like(x), torch.empty_like(y)
    placed_x[order], placed_y[order] = x, y
    network = Network(fault, clean)
    options = TrainingOptions(
        epochs=1, batch_size=BATCH, optimizer=fault.optimizer, learning_rate=fault.rate, weight_decay=0.0,
        schedule="constant", watch=watch or PrecisionOptions(),
    )  # fmt: skip
    start = {"overflow": "fp16", "tiny": "fp32" if clean else "bf16"}.get(fault.kind, "bf16")
    plan = ExecutionPlan(precision="adaptive", threads=1)

    def factor(name: str, step: int, *rest: Any) -> float:
        return 1.0 if clean else fault.rate_at(step)

    said: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        _context(plan, Path(folder), said) as ctx,
        begin_at(start),
        patch.object(loop, "factor", factor),
        applied(plan, fault.seed),
    ):
        try:
            train(network, TrainingData(Examples(placed_x), placed_y), options, ctx)
        except UserError as error:
            return Outcome(before, float("nan"), 0.0, str(error)), said
    return Outcome(before, *judge(network, held_x, held_y)), said


@contextmanager
def _context(plan: Any, folder: Path, said: list[str] | None = None) -> Iterator[Any]:
    """A real run context, whose events are packed and encoded as in a run."""
    from engine.artifacts import ArtifactStore
    from engine.run.context import BlockContext, EventWriter

    def write(event: Any) -> None:
        line = event.to_json()
        json.dumps(line)
        if said is not None and line["type"] == "decision" and line["step"]:
            said.append(line["message"])

    with EventWriter(write) as writer:
        yield BlockContext(
            block_id="train", seed=0, plan=plan, document={}, store=ArtifactStore(folder / "store"),
            workdir=folder / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip


def suite(kind: str, first: int, count: int, watch: Any = None) -> list[dict[str, Any]]:
    """Our outcomes of one kind."""
    from benchmarks.faults import draw, recovered

    found = []
    for seed in range(first, first + count):
        fault = draw(kind, seed)
        clean, alarms = run_fault(fault, clean=True, watch=watch)
        outcome, said = run_fault(fault, clean=False, watch=watch)
        found.append(
            {"seed": seed, "recovered": recovered(fault, outcome, clean), "accuracy": outcome.accuracy,
             "clean": clean.accuracy, "error": outcome.error, "said": said, "alarms": alarms, "fault": str(fault)}
        )  # fmt: skip
    return found


def peer(kind: str, first: int, count: int) -> list[dict[str, Any]] | None:
    """Lightning's outcomes of one kind; None where it is not installed."""
    from benchmarks.faults import Outcome, draw, recovered

    if not PEERS.exists():
        return None
    command = [str(PEERS), "-m", "benchmarks.faults_lightning", kind, str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    found = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            values = json.loads(line)
            clean, outcome = Outcome(**values["clean"]), Outcome(**values["faulty"])
            found.append(
                {"seed": values["seed"], "recovered": recovered(draw(kind, values["seed"]), outcome, clean),
                 "accuracy": outcome.accuracy, "clean": clean.accuracy, "error": outcome.error}
            )  # fmt: skip
    return found


def faults(options: argparse.Namespace) -> dict[str, Any]:
    """Recovered trainings, ours and Lightning's."""
    from benchmarks.faults import KINDS

    rows: dict[str, Any] = {}
    for kind in options.kinds.split(",") if options.kinds else KINDS:
        started = time.perf_counter()
        ours = suite(kind, options.seed, options.count)
        theirs = None if options.no_peers else peer(kind, options.seed, options.count)
        rows[kind] = {"ours": ours, "lightning": theirs}
        alarms = sum(bool(row["alarms"]) for row in ours)
        print(
            f"{kind:10} ours {_recovered(ours)}  Lightning {_recovered(theirs)}  "
            f"false alarms without a fault {alarms} of {len(ours)}  ({time.perf_counter() - started:.0f} s)",
            flush=True,
        )
        for row in ours:
            if not row["recovered"] or options.verbose:
                print(f"    seed {row['seed']}: {row['accuracy']:.3f} of {row['clean']:.3f} {row['error']}")
                print(f"        {row['fault']}")
                for line in row["said"]:
                    print(f"        {line}")
    return rows


def _recovered(rows: list[dict[str, Any]] | None) -> str:
    return "not measured" if rows is None else f"{sum(row['recovered'] for row in rows)} of {len(rows)}"


def ablation(options: argparse.Namespace) -> dict[str, Any]:
    """Recovered trainings with each sampled signal alone."""
    from benchmarks.faults import EXTRA, KINDS
    from engine.learn.precision import PrecisionOptions

    rows: dict[str, Any] = {}
    for weights in ("master", "keep"):
        for name in (None, *SIGNALS):
            watch = PrecisionOptions(weights=weights, sampled=(name,) if name else (), sample_steps=20)
            kinds = (*KINDS, EXTRA) if weights == "master" else ("tiny",)
            counts = {}
            for kind in kinds:
                counts[kind] = sum(row["recovered"] for row in suite(kind, options.seed, options.count, watch))
            rows[f"{weights} {name or 'none'}"] = counts
            print(
                f"weights {weights:7} sampled {name or 'none':17} "
                + "  ".join(f"{kind} {found}/{options.count}" for kind, found in counts.items()),
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["faults", "ablation", "overhead", "speed", "accuracy", "all"])
    parser.add_argument("--seed", type=int, default=0, help="of the first fault")
    parser.add_argument("--count", type=int, default=20, help="faults of each kind")
    parser.add_argument("--kinds", default="", help="comma list; all by default")
    parser.add_argument(
        "--tasks", default="", help="of speed, overhead and accuracy: resnet, digits, text; all by default"
    )
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="say what was decided in each training")
    parser.add_argument("--threads", type=int, default=0, help="0: every usable CPU")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10; without it the same shapes are drawn")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("DEEPSEEK_HOME", tempfile.mkdtemp())
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", tempfile.mkdtemp())  # what compiling takes the first time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run sets it: other programs share the cores
    import torch

    from benchmarks import precision_speed as speed

    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {platform.machine()}, capability {torch.backends.cpu.get_cpu_capability()}")
    parts = {
        "faults": faults,
        "ablation": ablation,
        "overhead": speed.overhead,
        "speed": speed.speed,
        "accuracy": speed.accuracy,
    }
    names = list(parts) if options.what == "all" else [options.what]
    found = {name: parts[name](options) for name in names}
    if options.json:
        options.json.write_text(json.dumps({"torch": torch.__version__, **found}, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
