"""Rows of the compression benchmark that need no race: students, the edge package, the first run, ablations.

Called by :mod:`benchmarks.compression`. Trainings here are short, with the seeds that are said, and kept.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.compression import models

ROOT = Path(__file__).parents[2]
T95 = {4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
SEEDS = 5
TEACHER_IMAGES = 20_000
STUDENT = {"images": 5_000, "epochs": 10, "batch_size": 128, "learning_rate": 3e-3}
WIDE, HALF = [64, 128, 256], [48, 88, 184]


def student(options: argparse.Namespace) -> dict[str, Any]:
    """Students with half the teacher's parameters: each seed once with the teacher and once alone, on the same images.

    The teacher has seen more of them, as teachers have.
    """
    from benchmarks.compression.subject import place

    kept = place() / "student.json"
    if kept.exists() and not options.fresh:
        found: dict[str, Any] = json.loads(kept.read_text())
    else:
        found = _students(options)
        kept.write_text(json.dumps(found, indent=1))
    gains = [100 * (a - b) for a, b in zip(found["distilled"], found["alone"], strict=True)]
    mean = statistics.mean(gains)
    reach = T95[len(gains) - 1] * statistics.stdev(gains) / math.sqrt(len(gains))
    print(
        f"\nstudent: {found['parameters']:,} of the teacher's {found['teacher_parameters']:,} parameters, "
        f"{found['images']} images of CIFAR-10 at 16 pixels (the teacher {found['teacher_images']}), "
        f"{len(gains)} seeds\n"
        f"  teacher {100 * found['teacher']:.2f} %  alone {100 * statistics.mean(found['alone']):.2f} %  "
        f"distilled {100 * statistics.mean(found['distilled']):.2f} %  "
        f"gain {mean:+.2f} points, 95 % interval {mean - reach:+.2f} to {mean + reach:+.2f}",
        flush=True,
    )
    return {**found, "gain_points": [mean, mean - reach, mean + reach]}


def _students(options: argparse.Namespace) -> dict[str, Any]:
    from engine.learn.distil import Distillation

    many, test = _small_images(options.cifar)
    learn = (many[0][: int(STUDENT["images"])], many[1][: int(STUDENT["images"])])
    teacher = _trained(WIDE, 0, many, None, options.threads)
    found: dict[str, Any] = {
        "teacher": _accuracy(teacher, *test), "teacher_parameters": _parameters(teacher),
        "images": len(learn[1]), "teacher_images": TEACHER_IMAGES,
        "distilled": [], "alone": [], "seconds": 0.0,
    }  # fmt: skip
    started = time.perf_counter()
    for seed in range(SEEDS):
        for kind, teaching in (("alone", None), ("distilled", Distillation(teacher))):
            small = _trained(HALF, seed, learn, teaching, options.threads)
            found[kind].append(_accuracy(small, *test))
            found["parameters"] = _parameters(small)
        print(f"    seed {seed}: alone {found['alone'][-1]:.4f} distilled {found['distilled'][-1]:.4f}", flush=True)
    return {**found, "seconds": time.perf_counter() - started}


def _small_images(cifar: Path | None) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """CIFAR-10 at 16 pixels: some to learn from, and the whole test part."""
    whole = models.data("resnet18", cifar)
    parts = []
    for part, count in ((whole.train, TEACHER_IMAGES), (whole.test, None)):
        pixels, labels = part.to_arrays()
        x = torch.from_numpy(pixels[:count]).float().div_(255).sub_(0.47).div_(0.25)
        parts.append((nn.functional.avg_pool2d(x, 2), torch.from_numpy(labels[:count])))
    return parts[0], parts[1]


def _trained(widths: list[int], seed: int, learn: tuple[Tensor, Tensor], teaching: Any, threads: int) -> nn.Module:
    from engine.compute import applied
    from engine.learn import TrainingData, TrainingOptions, train
    from engine.models import build
    from engine.runtime.examples import Examples
    from engine.spec import ExecutionPlan

    options = TrainingOptions(
        epochs=int(STUDENT["epochs"]), batch_size=int(STUDENT["batch_size"]), learning_rate=STUDENT["learning_rate"]
    )
    plan = ExecutionPlan(threads=threads, precision="fp32")
    with tempfile.TemporaryDirectory() as folder, context(plan, Path(folder)) as ctx, applied(plan, seed):
        torch.manual_seed(seed)
        module = build("convnet", {"in_channels": 3, "num_classes": 10, "widths": widths})
        train(module, TrainingData(Examples(learn[0]), learn[1], distillation=teaching), options, ctx, seed=seed)
    return module.eval()


@contextmanager
def context(plan: Any, folder: Path) -> Iterator[Any]:
    """What a training speaks to where there is no run: nobody."""
    from engine.artifacts import ArtifactStore
    from engine.run.context import BlockContext, EventWriter

    with EventWriter(lambda event: None) as writer:
        yield BlockContext(
            block_id="train", seed=0, plan=plan, document={}, store=ArtifactStore(folder / "store"),
            workdir=folder / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.inference_mode()
def _accuracy(module: Any, x: Tensor, y: Tensor) -> float:
    return float(torch.cat([module(part).argmax(1) for part in x.split(256)]).eq(y).float().mean())


def edge(options: argparse.Namespace) -> dict[str, Any]:
    """MiniLM's classifier to one of its layers and the words that occur, to 4 and 8 bits, to a folder for elsewhere."""
    from benchmarks.compression.subject import place

    kept = place() / "edge.json"
    if kept.exists() and not options.fresh:
        found: dict[str, Any] = json.loads(kept.read_text())
    else:
        found = _edge(options, place())
        kept.write_text(json.dumps(found, indent=1))
    drop = 100 * (found["teacher"] - found["edge"])
    print(
        f"\nedge: teacher {found['teacher_bytes'] / 1e6:.1f} MB, {100 * found['teacher']:.2f} %; student "
        f"{100 * found['student']:.2f} %; package {found['edge_bytes'] / 1e6:.2f} MB, {100 * found['edge']:.2f} "
        f"%\n"
        f"  {found['teacher_bytes'] / found['edge_bytes']:.0f}x smaller, drop {drop:+.2f} points on "
        f"{found['tests']} test sentences ({found['seconds']:.0f} s)",
        flush=True,
    )
    return {**found, "times_smaller": found["teacher_bytes"] / found["edge_bytes"], "drop_points": drop}


def _edge(options: argparse.Namespace, place: Path) -> dict[str, Any]:
    from deepseek import Distiller, Model, Quantizer, blocks, pipeline

    started = time.perf_counter()
    teacher, about = models.load("minilm")
    examples, data = models.choosing("minilm"), models.data("minilm")
    distiller = Distiller(teacher, Model.create("bert", layers=1, hidden_size=384, heads=12, pooling="mean"))
    small = distiller.train(
        examples, validation=examples, show=False, epochs=options.epochs, batch_size=16, learning_rate=3e-4,
        start="teacher", reads="seen", temperature=2.0,
    )  # fmt: skip
    rounded = Quantizer(small, method="mixed").optimize(examples, show=False)
    judged = {
        name: model.evaluate(data, show=False)["accuracy"] for name, model in (("student", small), ("edge", rounded))
    }
    made = pipeline.step(
        "edge", "export.edge", {"name": "classifier"}, model=rounded._output, dataset=examples.test._output
    )
    package = blocks.make(made, seed=models.SEED)["file"]
    (place / "edge.zip").write_bytes(package.path("content").read_bytes())
    return {
        **judged, "teacher": about["test"]["accuracy"], "tests": int(about["test"]["count"]),
        "teacher_bytes": (models.folder() / "minilm.zip").stat().st_size,
        "edge_bytes": (place / "edge.zip").stat().st_size,
        "settings": {"layers": 1, "reads": "seen", "start": "teacher", "epochs": options.epochs},
        "seconds": time.perf_counter() - started,
    }  # fmt: skip


def first_run(options: argparse.Namespace) -> dict[str, Any]:
    """The template with the search that has the shortest budget, as a newcomer runs it."""
    from deepseek import local

    found = [
        (block["params"]["budget_s"], file, name)
        for file in sorted((ROOT / "examples").glob("*/pipeline.json"))
        for name, block in json.loads(file.read_text())["blocks"].items()
        if block["type"] == "compress.search" and block["params"].get("budget_s")
    ]
    if not found:
        raise SystemExit("no example searches with a budget")
    budget, file, name = min(found)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as empty, patch.dict(os.environ, {"DEEPSEEK_HOME": empty}):  # nothing is cached
        document = json.loads(file.read_text())
        result = local.checked(local.execute(document, plan={"threads": options.threads}, show=lambda event: None))
    seconds = time.perf_counter() - started
    report = {key.split(".")[1]: value for key, value in result.metrics.items() if key.startswith(f"{name}.")}
    print(
        f"\nfirst_run: {file.parent.name}, budget {budget:g} s, search {report['seconds']:.1f} s, all {seconds:.1f} s\n"
        f"  {report['speed_up']:.2f}x the speed of the same network in fp32 in the same runtime, "
        f"{report['speed_up_eager']:.2f}x eager, {100 * report['shrunk']:.1f} % smaller, "
        f"drop {100 * report['drop']:+.2f} points on {report['judged_on']:.0f} examples",
        flush=True,
    )
    return {"example": file.parent.name, "budget_s": budget, "all_s": seconds, **report}
