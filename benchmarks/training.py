"""Our training loop against one written by hand, and what digits reach with the default settings.

    python -m benchmarks.training [--rounds 31] [--threads N] [--device cpu] [--seeds 5] [--only mlp] [--json FILE]
    python -m benchmarks.training --peers | --effects [--cifar FOLDER] | --checkpoints | --fast-cifar [--cifar FOLDER]

Throughput: the same network, data, batch size, optimiser (fused AdamW, no decay on biases), schedule and number of
steps; ours logs every loss and learning rate through a real run context that packs and encodes its events, the other
reads one mean loss an epoch, which is the least a person would do. Both take turns, A B B A, and each round gives one
ratio; the table shows medians. A ratio above 1 means that ours is faster.

Digits: scikit-learn's images, 80 % to learn from and 20 % to test on, the training block's defaults, several seeds; the
time is that of a fresh process, importing torch included.

With one of the other flags only those rows are measured: beside Lightning and the Hugging Face Trainer, what each
setting costs and brings, checkpoints at the default rate, and CIFAR-10 on a GPU beside airbench94; see
:mod:`benchmarks.training_more`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WORKLOADS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "shape": (1, 8, 8), "count": 4096, "batch": 64, "epochs": 2, "config": {}},
    "convnet": {"name": "convnet", "shape": (1, 8, 8), "count": 1437, "batch": 64, "epochs": 20, "config": {}},
    "convnet-32px": {"name": "convnet", "shape": (3, 32, 32), "count": 640, "batch": 64, "epochs": 2, "config": {}},
    "resnet18-32px": {
        "name": "resnet18", "shape": (3, 32, 32), "count": 640, "batch": 32, "epochs": 6, "config": {"stem": "large"},
    },
}  # fmt: skip
DIGITS = """
import time; started = time.perf_counter()
import json, sys
from benchmarks.training import digits
accuracy = digits(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
print(json.dumps({"accuracy": accuracy, "seconds": time.perf_counter() - started}))
"""


def ours(work: dict[str, Any], data: Any, plan: Any, folder: Path) -> float:
    """Seconds that our loop takes."""
    from engine.artifacts import ArtifactStore
    from engine.compute import applied
    from engine.learn import TrainingData, TrainingOptions, train
    from engine.models import build
    from engine.run.context import BlockContext, EventWriter
    from engine.runtime.examples import Examples

    x, y = data
    options = TrainingOptions(epochs=work["epochs"], batch_size=work["batch"], schedule="cosine", learning_rate=1e-3)
    with EventWriter(lambda event: json.dumps(event.to_json()) and None) as writer, applied(plan, 0) as device:
        ctx = BlockContext(
            block_id="train", seed=0, plan=plan, document={}, store=ArtifactStore(folder / "store"),
            workdir=folder / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip
        module = build(work["name"], work["built"]).to(device)
        examples = TrainingData(Examples(x, device=device), y.to(device))
        _wait(device)
        started = time.perf_counter()
        train(module, examples, options, ctx)
        _wait(device)
        return time.perf_counter() - started


def by_hand(work: dict[str, Any], data: Any, plan: Any) -> float:
    """Seconds that a loop takes as a person would write it."""
    import torch

    from engine.compute import applied
    from engine.models import build

    x, y = data
    with applied(plan, 0) as device:
        model = build(work["name"], work["built"]).to(device)
        x, y = x.to(device), y.to(device)
        groups = [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 1e-2},
            {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, fused=True)
        batch, count = work["batch"], len(x)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, work["epochs"] * math.ceil(count / batch))
        _wait(device)
        started = time.perf_counter()
        model.train()
        for _ in range(work["epochs"]):
            order = torch.randperm(count, device=device)
            total = torch.zeros((), device=device)
            for rows in order.split(batch):
                loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.detach()
            total.item()
        _wait(device)
        return time.perf_counter() - started


def _wait(device: Any) -> None:
    import torch

    if device.type != "cpu":
        torch.accelerator.synchronize()


def throughput(names: list[str], rounds: int, plan: Any) -> list[dict[str, Any]]:
    import torch

    from engine.models import complete

    rows = []
    for name in names:
        work = dict(WORKLOADS[name])
        work["built"] = complete(work["name"], work["config"], "images", work["shape"], 10)
        torch.manual_seed(0)
        data = (torch.randn(work["count"], *work["shape"]), torch.randint(0, 10, (work["count"],)))
        with tempfile.TemporaryDirectory() as folder:
            ours(work, data, plan, Path(folder)), by_hand(work, data, plan)  # warm up
            pairs = []
            for number in range(rounds):
                if number % 2:
                    theirs, mine = by_hand(work, data, plan), ours(work, data, plan, Path(folder))
                else:
                    mine, theirs = ours(work, data, plan, Path(folder)), by_hand(work, data, plan)
                pairs.append((mine, theirs))
        examples = work["count"] * work["epochs"]
        ratios = sorted(theirs / mine for mine, theirs in pairs)
        row = {
            "workload": name,
            "ours_per_s": examples / statistics.median(mine for mine, _ in pairs),
            "by_hand_per_s": examples / statistics.median(theirs for _, theirs in pairs),
            "ratio": statistics.median(ratios),
            "low": ratios[0],
            "high": ratios[-1],
        }
        rows.append(row)
        print(
            f"{name:14} ours {row['ours_per_s']:10,.0f}/s  by hand {row['by_hand_per_s']:10,.0f}/s  "
            f"ratio {row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f}; reach >= 0.98)",
            flush=True,
        )
    return rows


def digits(name: str, seed: int, threads: int) -> float:
    """Test accuracy of a model trained on digits with the training block's defaults."""
    import numpy as np
    from sklearn.datasets import load_digits

    from engine.artifacts import ArtifactStore
    from engine.blocks.train.classifier import Params
    from engine.datasets import subset, write_images
    from engine.learn.fit import fit
    from engine.run.context import BlockContext, EventWriter
    from engine.runtime.models import save_model
    from engine.runtime.modelspec import ModelSpec
    from engine.runtime.predictor import Predictor
    from engine.runtime.targets import labels_of
    from engine.spec import ExecutionPlan

    source = load_digits()
    pixels = (source.images * 255 / 16).round().astype(np.uint8)[:, None]
    with tempfile.TemporaryDirectory() as folder, EventWriter(lambda event: None) as writer:
        store = ArtifactStore(Path(folder) / "store")
        whole = write_images(store, pixels, source.target, [str(n) for n in range(10)], name="digits")
        order = np.random.default_rng(seed).permutation(len(pixels))
        cut = int(0.8 * len(pixels))
        learn, test = subset(store, whole, order[:cut]), subset(store, whole, order[cut:])
        ctx = BlockContext(
            block_id="train", seed=seed, plan=ExecutionPlan(threads=threads), document={}, store=store,
            workdir=Path(folder) / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip
        fitted = fit(save_model(store, ModelSpec(architecture=name)), learn, None, Params().options(), ctx)
        answers = Predictor.open(fitted.model).predict(test)
        true = labels_of(test, answers.labels or [])
        return float((answers.outputs.argmax(1) == true).float().mean())


def digits_rows(names: list[str], seeds: int, threads: int) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        results = []
        for seed in range(seeds):
            command = [sys.executable, "-c", DIGITS, name, str(seed), str(threads)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
            results.append(json.loads(done.stdout.splitlines()[-1]))
        accuracy = [result["accuracy"] for result in results]
        seconds = [result["seconds"] for result in results]
        row = {
            "model": name,
            "mean": statistics.mean(accuracy),
            "worst": min(accuracy),
            "seconds": statistics.median(seconds),
            "slowest_s": max(seconds),
            "seeds": seeds,
        }
        rows.append(row)
        print(
            f"digits, {name:8} accuracy {row['mean']:.4f} (worst of {seeds} seeds {row['worst']:.4f}; reach >= 0.97)  "
            f"process {row['seconds']:.1f} s (slowest {row['slowest_s']:.1f}; reach <= 20)",
            flush=True,
        )
    return rows


def _chosen(options: argparse.Namespace, plan: Any) -> dict[str, Any] | None:
    """The rows of the flags that were given; None when none was."""
    from benchmarks import training_more as more

    seeds = options.seeds or 1
    kinds = {
        "peers": lambda: more.against_peers(min(options.rounds, 5), plan.threads),
        "effects": lambda: more.effects(min(options.rounds, 7), plan, options.cifar, seeds),
        "checkpoints": lambda: more.checkpoint_cost(min(options.rounds, 5), plan),
        "fast_cifar": lambda: more.fast_cifar(seeds, options.cifar),
    }
    wanted = {name: measure() for name, measure in kinds.items() if getattr(options, name)}
    return wanted or None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--threads", type=int, default=0, help="0: every usable CPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="comma list of workloads")
    parser.add_argument("--peers", action="store_true", help="beside Lightning and the Hugging Face Trainer")
    parser.add_argument("--effects", action="store_true", help="what each setting costs and brings")
    parser.add_argument("--checkpoints", action="store_true", help="what checkpoints cost")
    parser.add_argument("--fast-cifar", action="store_true", help="CIFAR-10 on a GPU, beside airbench94")
    parser.add_argument("--cifar", type=Path, help="folder of CIFAR-10")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("DEEPSEEK_HOME", tempfile.mkdtemp())
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run sets it: other programs share the cores
    import torch

    from engine.compute import resolve

    plan = resolve({"device": options.device, "threads": options.threads})
    print(f"device {plan.device}, {plan.threads} threads, {platform.machine()}, torch {torch.__version__}")
    chosen = _chosen(options, plan)
    if chosen is not None:
        if options.json:
            options.json.write_text(
                json.dumps({"plan": plan.model_dump(), "torch": torch.__version__, **chosen}, indent=1)
            )
        return
    rows = throughput([name for name in options.only.split(",") if name], options.rounds, plan)
    learned = digits_rows(["convnet", "mlp"], options.seeds, plan.threads) if options.seeds else []
    if options.json:
        found = {"plan": plan.model_dump(), "torch": torch.__version__, "throughput": rows, "digits": learned}
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
