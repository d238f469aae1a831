"""More rows of ``benchmarks/training.py``: peers, what each setting brings, checkpoints, and CIFAR-10 on a GPU.

Called by that file. Every comparison takes turns in one run; medians are shown. What needs a GPU or a data set that is
not here is said to be not measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
AIRBENCH = """
import json, time
from airbench import train94, warmup94
warmup94()
runs = []
for _ in range({runs}):
    started = time.perf_counter(); train94(verbose=False); runs.append(time.perf_counter() - started)
print(json.dumps(runs))
"""
Row = dict[str, Any]


# -------------------------------------------------------------------------------------------------- peers


def against_peers(rounds: int, threads: int) -> list[Row]:
    """Examples a second and start-up beside Lightning and the Hugging Face Trainer, each in fresh processes."""
    sides = {"ours": Path(sys.executable), "lightning": PEERS, "hugging_face": PEERS}
    if not PEERS.exists():
        print(f"peers: not measured, there is no {PEERS.relative_to(ROOT)} (see CONTRIBUTING.md)")
        return []
    rows = []
    for work, reach in (("mlp", 1.1), ("resnet18-32px", 0.98)):
        found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for number in range(rounds):
            order = list(sides) if number % 2 else list(reversed(sides))
            for side in order:
                found[side].append(_race(sides[side], side, work, threads))
        for peer in ("lightning", "hugging_face"):
            pairs = zip(found["ours"], found[peer], strict=True)
            ratios = sorted(mine["per_s"] / theirs["per_s"] for mine, theirs in pairs)
            row = {
                "workload": work,
                "peer": peer,
                "ours_per_s": _median(found["ours"], "per_s"),
                "peer_per_s": _median(found[peer], "per_s"),
                "ratio": statistics.median(ratios),
                "low": ratios[0],
                "high": ratios[-1],
                "ours_start_s": _median(found["ours"], "start_s"),
                "peer_start_s": _median(found[peer], "start_s"),
            }
            rows.append(row)
            print(
                f"{work:14} ours {row['ours_per_s']:9,.0f}/s  {peer} {row['peer_per_s']:9,.0f}/s  ratio "
                f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f}; reach >= {reach})  first step after "
                f"{row['ours_start_s']:.1f} s, theirs {row['peer_start_s']:.1f} s",
                flush=True,
            )
    return rows


def _race(python: Path, side: str, work: str, threads: int) -> dict[str, float]:
    environment = {**os.environ, "RACE_STARTED": str(time.time()), "OMP_NUM_THREADS": str(threads)}
    command = [str(python), str(ROOT / "benchmarks" / "training_race.py"), side, work, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


# -------------------------------------------------------------------------------------------------- effects


def effects(rounds: int, plan: Any, cifar: Path | None, seeds: int) -> list[Row]:
    """What each setting costs or brings in speed; and in accuracy, by leaving it out of the fast recipe."""
    return speed_effects(rounds, plan) + accuracy_effects(plan, cifar, seeds)


def speed_effects(rounds: int, plan: Any) -> list[Row]:
    """Images a second of ResNet-18 (large stem, 32 px) with one setting more, over none."""
    import torch

    from engine.learn import TrainingData, TrainingOptions
    from engine.runtime.examples import Examples
    from engine.spec.context import Choice

    generator = torch.Generator().manual_seed(0)
    device = torch.device(plan.device)
    images = torch.randn(256, 3, 32, 32, generator=generator)
    data = TrainingData(Examples(images, device=device), torch.arange(256, device=device) % 10)
    base = TrainingOptions(epochs=1, batch_size=32)
    plain = Choice()
    kinds: dict[str, tuple[Any, Any]] = {
        "channels last": (base, plain.model_copy(update={"memory_format": "channels_last"})),
        "bf16": (base, plain.model_copy(update={"precision": "bf16"})),
        "bf16, channels last": (base, Choice(precision="bf16", memory_format="channels_last")),
        "compiled": (base, Choice(compile=True)),
        "gradient clip": (replace(base, gradient_clip=1.0), plain),
        "accumulation of 4": (replace(base, accumulation=4), plain),
        "moving average": (replace(base, averaging="ema"), plain),
        "lookahead": (replace(base, averaging="lookahead", averaging_steps=5), plain),
        "mixup": (replace(base, mixup=0.4), plain),
        "CutMix": (replace(base, cutmix=1.0), plain),
        "label smoothing": (replace(base, label_smoothing=0.1), plain),
        "SGD": (replace(base, optimizer="sgd"), plain),
        "Muon": (replace(base, optimizer="muon"), plain),
    }
    rows = []
    for name, (options, choice) in kinds.items():
        try:
            _timed(plan, choice, options, data)  # warm up, and compile
        except Exception as error:  # a device without this precision, or without a compiler
            print(f"{name:22} not measured: {error}")
            continue
        ratios = []
        for number in range(rounds):
            turns: list[Callable[[], float]] = [
                lambda: _timed(plan, plain, base, data),
                lambda o=options, c=choice: _timed(plan, c, o, data),
            ]
            times = {index: turns[index]() for index in ((0, 1) if number % 2 else (1, 0))}
            ratios.append(times[0] / times[1])
        ratios.sort()
        rows.append({"setting": name, "speed": statistics.median(ratios), "low": ratios[0], "high": ratios[-1]})
        print(f"{name:22} speed x{rows[-1]['speed']:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})", flush=True)
    return rows


def _timed(plan: Any, choice: Any, options: Any, data: Any) -> float:
    from engine.models import build

    module = build("resnet18", {"num_classes": 10, "in_channels": 3, "stem": "large"})
    return _train(module, data, options, _planned(plan, choice), 0)


def accuracy_effects(plan: Any, cifar: Path | None, seeds: int) -> list[Row]:
    """Test accuracy on a part of CIFAR-10 with the fast recipe, and with each of its settings left out."""
    if cifar is None:
        print("accuracy of the recipe's settings: not measured, give --cifar FOLDER")
        return []
    import torch

    from engine.blocks.train.classifier import Params
    from engine.learn.recipes import resolved
    from engine.models import build

    train, test = _cifar(cifar, plan, 10_000), _cifar(cifar, plan, 2_000, part="test")
    params = Params(recipe="fast", epochs=8, batch_size=256)
    config = {"num_classes": 10, "in_channels": 3, "widths": [32, 64, 64]}
    fast = resolved(params.options(task="classification"), build("speednet", config), 10_000, params.left_open)
    kinds = {
        "fast recipe": fast,
        "without lookahead": replace(fast, averaging="none"),
        "without flip in turn": replace(fast, alternating_flip=False),
        "without label smoothing": replace(fast, label_smoothing=0.0),
        "without faster biases": replace(fast, bias_rate=1.0),
        "constant rate": replace(fast, schedule="constant", learning_rate=fast.learning_rate / 3),
        "AdamW": replace(fast, optimizer="adamw", learning_rate=0.003, momentum=0.9, bias_rate=1.0),
        "Muon": replace(fast, optimizer="muon", learning_rate=0.01, momentum=0.9, bias_rate=1.0),
        "standard recipe": Params(epochs=8, batch_size=256).options(task="classification"),
    }
    rows = []
    for name, options in kinds.items():
        reached, took = [], []
        for seed in range(seeds):
            torch.manual_seed(seed)
            module = build("speednet", config)
            took.append(_train(module, train, options, plan, seed))
            reached.append(_accuracy(module, test))
        spread = statistics.stdev(reached) / len(reached) ** 0.5 if len(reached) > 1 else float("nan")
        row = {
            "setting": name,
            "accuracy": statistics.mean(reached),
            "error": spread,
            "seconds": statistics.median(took),
        }
        rows.append(row)
        print(f"{name:24} accuracy {row['accuracy']:.4f} +- {spread:.4f}  {row['seconds']:.1f} s", flush=True)
    return rows


# -------------------------------------------------------------------------------------------------- checkpoints


def checkpoint_cost(rounds: int, plan: Any) -> list[Row]:
    """Time with checkpoints at the default rate over time without any: about 20 s of ResNet-18 in each turn."""
    import torch

    from engine.learn import TrainingData, TrainingOptions
    from engine.learn.checkpoints.checkpoint import CheckpointFolder
    from engine.models import build
    from engine.runtime.examples import Examples

    device = torch.device(plan.device)
    images = torch.randn(128, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    data = TrainingData(Examples(images, device=device), torch.arange(128, device=device) % 10)
    config = {"num_classes": 10, "in_channels": 3, "stem": "large"}
    options = TrainingOptions(epochs=1, batch_size=32)
    once = min(_train(build("resnet18", config), data, options, plan, 0) for _ in range(2))
    options = replace(options, epochs=max(2, round(20 / once)))
    ratios, written = [], 0
    for number in range(rounds):
        times: dict[bool, float] = {}
        for keeps in (True, False) if number % 2 else (False, True):
            with tempfile.TemporaryDirectory() as folder:
                kept = CheckpointFolder(Path(folder)) if keeps else None
                times[keeps] = _train(build("resnet18", config), data, options, plan, 0, kept)
                written += 0 if kept is None else len(list(Path(folder).glob("step-*")))
        ratios.append(times[True] / times[False] - 1)
    ratios.sort()
    row = {
        "overhead": statistics.median(ratios),
        "low": ratios[0],
        "high": ratios[-1],
        "seconds": options.epochs * once,
    }
    print(
        f"checkpoints    overhead {row['overhead']:+.1%} ({row['low']:+.1%} to {row['high']:+.1%}; reach <= 3.5 %), "
        f"turns of {row['seconds']:.0f} s, {written} kept",
        flush=True,
    )
    return [row]


# -------------------------------------------------------------------------------------------------- CIFAR-10 on a GPU


def fast_cifar(runs: int, cifar: Path | None) -> list[Row]:
    """Training time and accuracy of the speed network with the fast recipe, and of airbench94 on the same GPU."""
    import torch

    if not torch.cuda.is_available() or cifar is None:
        why = "no GPU" if not torch.cuda.is_available() else "give --cifar FOLDER"
        print(f"CIFAR-10 to 94 %: not measured, {why} (reach: <= 1.15 of airbench94's training time)")
        return []
    from engine.blocks.train.classifier import Params
    from engine.compute import resolve
    from engine.learn.recipes import resolved
    from engine.models import build

    plan = _planned(resolve({"device": "cuda"}), _fastest())
    train, test = _cifar(cifar, plan, 50_000), _cifar(cifar, plan, 10_000, part="test")
    config = {"num_classes": 10, "in_channels": 3}
    params = Params(recipe="fast", epochs=10)
    options = resolved(params.options(task="classification"), build("speednet", config), 50_000, params.left_open)
    _train(build("speednet", config), train, options, plan, 0)  # warm up
    took, reached = [], []
    for seed in range(runs):
        torch.manual_seed(seed)
        module = build("speednet", config)
        took.append(_train(module, train, options, plan, seed))
        reached.append(_accuracy(module, test))
    row: Row = {"seconds": statistics.mean(took), "accuracy": statistics.mean(reached), "runs": runs}
    print(f"CIFAR-10       ours {row['seconds']:.2f} s, accuracy {row['accuracy']:.4f} (mean of {runs})", flush=True)
    done = subprocess.run([str(PEERS), "-c", AIRBENCH.format(runs=runs)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"airbench94     not measured: {done.stderr.splitlines()[-1] if done.stderr else 'it is not installed'}")
        return [row]
    theirs = statistics.mean(json.loads(done.stdout.splitlines()[-1]))
    row |= {"airbench_seconds": theirs, "ratio": row["seconds"] / theirs}
    print(f"airbench94     {theirs:.2f} s, ratio {row['ratio']:.2f} (reach <= 1.15)", flush=True)
    return [row]


# -------------------------------------------------------------------------------------------------- shared


def _fastest() -> Any:
    from engine.spec.context import Choice

    return Choice(precision="bf16", memory_format="channels_last")


def _planned(plan: Any, choice: Any) -> Any:
    fixed = {name: getattr(choice, name) for name in ("precision", "memory_format", "compile")}
    return plan.model_copy(update=fixed)


def _cifar(path: Path, plan: Any, limit: int, part: str = "train") -> Any:
    import torch

    from engine.datasets.cifar import read_cifar10
    from engine.datasets.sampling import first_of_each_class
    from engine.learn import TrainingData
    from engine.learn.data.augment import make_augmentation
    from engine.runtime.examples import Examples
    from engine.runtime.images import affine

    read = read_cifar10(path, part, lambda labels: first_of_each_class(labels, limit), lambda done, total: None)
    assert read is not None
    pixels, labels = read
    device = torch.device(plan.device)
    scale = [
        {"op": "scale", "by": 255.0},
        {"op": "normalise", "mean": [0.4914, 0.4822, 0.4465], "std": [0.247, 0.2435, 0.2616]},
    ]
    factor, summand = affine(scale, 3)
    augment = make_augmentation([{"op": "flip"}, {"op": "crop", "padding": 2}]) if part == "train" else None
    examples = Examples(torch.from_numpy(pixels), factor, summand, device)
    return TrainingData(examples, torch.from_numpy(labels).to(device), augment)


def _train(module: Any, data: Any, options: Any, plan: Any, seed: int, checkpoints: Any = None) -> float:
    """Seconds that a training takes, through a real run context."""
    from engine.artifacts import ArtifactStore
    from engine.compute import applied
    from engine.compute.devices import synchronize
    from engine.learn import train
    from engine.run.context import BlockContext, EventWriter

    with (
        tempfile.TemporaryDirectory() as folder,
        EventWriter(lambda event: json.dumps(event.to_json()) and None) as out,
        applied(plan, seed) as device,
    ):
        ctx = BlockContext(
            block_id="train", seed=seed, plan=plan, document={}, store=ArtifactStore(Path(folder) / "store"),
            workdir=Path(folder) / "work", writer=out, stop=lambda: None,
        )  # fmt: skip
        module.to(device)
        synchronize(device)
        started = time.perf_counter()
        train(module, data, options, ctx, seed=seed, checkpoints=checkpoints)
        synchronize(device)
        return time.perf_counter() - started


def _accuracy(module: Any, data: Any) -> float:
    from engine.runtime.predictor import forward

    module.eval()
    answers = forward(module, data.examples).argmax(1)
    return float((answers == data.targets).float().mean())
