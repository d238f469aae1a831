"""What each part of our methods of compression brings: the same network with and without it, in a few minutes.

Called by :mod:`benchmarks.compression`. Ranges and importance come from the training part; answers are counted on part
of the test part, drawn by one seed, which nothing is chosen by.
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.compression import models
from benchmarks.compression.race import paired, wilson

TUNED_SIDE, TUNED_S, TUNED_LEFT = 16, 160.0, 0.1
"""Pixels, seconds of each training, and the share of the work that was not cut away."""


def ablation(options: argparse.Namespace) -> dict[str, Any]:
    """What the parts of our methods bring, on examples that nothing was chosen by."""
    found: dict[str, Any] = {}
    parts = {"int8": _int8, "int4": _int4, "pruning": _pruning, "counting": _counting, "tuning": _tuning}
    for name, part in parts.items():
        if options.only and name not in options.only:
            continue
        try:
            found[name] = part(options)
        except SystemExit as error:  # the network is not there
            found[name] = {"measured": False, "reason": str(error)}
            print(f"\nablation, {name}: not measured: {error}")
    return found


def _int8(options: argparse.Namespace) -> dict[str, Any]:
    """Rules of ranges, and bias correction: ResNet-18, what was simulated, on part of the test images."""
    from engine.compress.int8 import quantize_int8
    from engine.compress.ranges import METHODS

    module, calibration, x, y = _network("resnet18", options, 2_000)
    true = _answers(module, x)
    kinds = {
        **{f"always {name}": {"methods": (name,)} for name in METHODS},
        "chosen by measured error": {},
        "chosen, biases not corrected": {"correct": False},
    }
    print(f"\nablation, int8: ResNet-18, {len(y)} test images, fp32 {100 * float((true == y).float().mean()):.2f} %")
    rows = {}
    for kind, settings in kinds.items():
        small = quantize_int8(module, calibration.split(64), **settings).graph
        found = _answers(small, x)
        right = (found == y).numpy()
        drop = paired((true == y).numpy(), right)
        rows[kind] = {
            "accuracy": float(right.mean()), "interval": wilson(int(right.sum()), len(right)),
            "agreement": float((found == true).float().mean()), "drop_points": [100 * value for value in drop],
        }  # fmt: skip
        print(f"  {kind:32} drop {100 * drop[0]:+.2f}, same answers {100 * rows[kind]['agreement']:.2f} %", flush=True)
    return rows


def _int4(options: argparse.Namespace) -> dict[str, Any]:
    """Rounding to nearest, searched ranges, compensation and a second solution: the decoder, part of the test text."""
    from engine.compress.int4 import quantize_int4

    module, calibration, x, _ = _network("lm", options, 128)
    before = _losses(module, x)
    kinds: dict[str, dict[str, Any]] = {
        "nearest": {"search": False, "compensate": False, "refit": False},
        "searched ranges": {"compensate": False, "refit": False},
        "compensated (GPTQ)": {"search": False, "refit": False},
        "searched and compensated": {"refit": False},
        "all": {},
    }
    print(f"\nablation, int4: decoder, {len(x)} blocks, fp32 perplexity {math.exp(float(before.mean())):.3f}")
    rows = {}
    for kind, settings in kinds.items():
        small = quantize_int4(module, calibration[:128].split(16), **settings)
        mean, low, high = paired(_losses(small.module, x), before)
        rows[kind] = {"more_perplexity": [100 * (math.exp(value) - 1) for value in (mean, low, high)]}
        print(f"  {kind:32} perplexity {rows[kind]['more_perplexity'][0]:+.2f} %", flush=True)
    return rows


def _pruning(options: argparse.Namespace) -> dict[str, Any]:
    """Kinds of importance, costs, mending and counting anew, without any training: ResNet-18, half of its work left."""
    from engine.compress.prune.method import Pruning
    from engine.compress.prune.target import cost_of, prune_to, share_of

    module, calibration, x, y = _network("resnet18", options, 2_000)
    about = models.load("resnet18")[0].spec
    labelled, changed, one = _labelled("resnet18", options), _changed("resnet18", options), calibration[:1]
    share = share_of("macs", module, one)
    as_they_are = {"counted": None, "mended": False}
    kinds: dict[str, dict[str, Any]] = {
        "L1, nothing else": {"importance": "l1", "examples": None, "counted": None},
        "L1, counted on images as they are": {"importance": "l1", **as_they_are},
        "L1, counted on changed images": {"importance": "l1", "mended": False},
        **{f"{name}, mended": {"importance": name} for name in ("l1", "l2", "batch_norm", "taylor", "measured")},
        "measured with costs, mended": {"importance": "measured"},
    }
    print(f"\nablation, pruning: ResNet-18, half of the multiplications, no training, {len(y)} test images")
    rows = {}
    for kind, settings in kinds.items():
        pruning = Pruning(
            module, about["architecture"], about["config"], one,
            **{"examples": labelled, "counted": changed, **settings},
        )  # fmt: skip
        cost = cost_of("macs") if "costs" in kind else None
        small = pruning.closest(lambda ranked: prune_to(ranked, share, 0.5, "global", 8)[0], cost)
        rows[kind] = {
            "accuracy": float((_answers(small.module, x) == y).float().mean()), "ranked by": small.importance,
            "macs": small.macs_after / small.macs_before, "parameters": small.params_after / small.params_before,
        }  # fmt: skip
        print(
            f"  {kind:36} {100 * rows[kind]['accuracy']:.1f} % with {100 * rows[kind]['macs']:.0f} % of the work, "
            f"{100 * rows[kind]['parameters']:.0f} % of the parameters",
            flush=True,
        )
    return rows


def _counting(options: argparse.Namespace) -> dict[str, Any]:
    """Batch normalisation counted anew on images as they are and as training changes them; nothing is pruned."""
    from engine.compress.recalibrate import recalibrate

    module, calibration, x, y = _network("resnet18", options, 10_000)
    right = _answers(module, x) == y
    kinds = {"on images as they are": list(calibration.split(64)), "on changed images": _changed("resnet18", options)}
    print(
        f"\nablation, counting anew: ResNet-18, {len(y)} test images, as trained "
        f"{100 * float(right.float().mean()):.2f} %"
    )
    rows = {}
    for kind, batches in kinds.items():
        other = copy.deepcopy(module)
        recalibrate(other, batches)
        found = _answers(other, x) == y
        rows[kind] = [100 * value for value in paired(right.numpy(), found.numpy())]
        print(f"  {kind:36} drop {rows[kind][0]:+.2f} ({rows[kind][1]:+.2f} to {rows[kind][2]:+.2f})", flush=True)
    return rows


def _tuning(options: argparse.Namespace) -> dict[str, Any]:
    """Training a pruned network for a given time: with the original as its teacher or not, by SGD or by AdamW.

    The network is ResNet-18 after its first stage, at 16 pixels, where a minute says what 32 pixels need several for.
    """
    from benchmarks.compression.small import context
    from engine.compress.prune.method import Pruning
    from engine.compress.prune.target import cost_of, prune_to, share_of
    from engine.compress.search import tuning
    from engine.compress.search.tuning import Tuner
    from engine.learn.prepare import prepare
    from engine.runtime.models import open_model
    from engine.spec import ExecutionPlan

    model = models.load_stage("resnet18", 0)
    whole = models.choosing("resnet18", options.cifar)
    parts = whole.train, whole.test  # not the test part: the method is chosen by this
    learn, test = (models.smaller(part, TUNED_SIDE) for part in parts)
    opened = open_model(model.artifact)
    device = torch.device("cpu")
    ready, held = (
        prepare(model.artifact, some.artifact, "classification", device)
        for some in (learn.augment(flip=True, crop=TUNED_SIDE // 8).train, test.train)
    )
    rows = torch.randperm(len(ready.data.examples), generator=torch.Generator().manual_seed(models.SEED))[:256]
    batches = [replace(ready.data, augment=None).batch(part) for part in rows.split(64)]
    one = batches[0][0][:1]
    pruning = Pruning(
        opened.module, opened.spec.architecture, opened.spec.config, one, importance="measured", examples=batches,
        loss=ready.task.loss(), counted=[ready.data.batch(part)[0] for part in rows.split(64)],
    )  # fmt: skip
    share = share_of("macs", opened.module, one)
    small = pruning.closest(lambda ranked: prune_to(ranked, share, TUNED_LEFT, "global", 8)[0], cost_of("macs"))
    x, y = held.data.batch(torch.arange(len(held.data.examples)))
    truth = {"the original": opened.module, "cut, not trained": small.module}
    rows_found = {kind: float((_answers(module.eval(), x) == y).float().mean()) for kind, module in truth.items()}
    print(f"\nablation, tuning: ResNet-18 at {TUNED_SIDE} px, {TUNED_LEFT:.0%} of its work, {len(y)} held-out images")
    for kind, right in rows_found.items():
        print(f"  {kind:36} {100 * right:.2f} %", flush=True)
    plan = ExecutionPlan(threads=options.threads)
    for name, teaches, long in (
        ("labels alone, SGD", False, tuning.LONG),
        ("labels alone, AdamW", False, {}),
        ("with the teacher, SGD", True, tuning.LONG),
    ):
        kind, other = f"{TUNED_S:.0f} s, {name}", copy.deepcopy(small.module)
        with (
            tempfile.TemporaryDirectory() as folder,
            context(plan, Path(folder)) as ctx,
            patch.object(tuning, "LONG", long),
        ):
            Tuner(opened.spec, opened.module, ready.data, 10, ctx, lambda: None, teaches=teaches).tune(
                other, "tuned", TUNED_S
            )
        rows_found[kind] = float((_answers(other, x) == y).float().mean())
        print(f"  {kind:36} {100 * rows_found[kind]:.2f} %", flush=True)
    return {"accuracy": rows_found, "macs": small.macs_after / small.macs_before}


def _network(name: str, options: argparse.Namespace, count: int) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A trained network, calibration inputs, and some test inputs with their classes, drawn by one seed."""
    from benchmarks.compression.subject import Subject
    from benchmarks.compression.tools import network

    subject = Subject(name, options)
    inputs = np.load(subject.job["inputs"], mmap_mode="r")
    rows = np.sort(np.random.default_rng(models.SEED).permutation(len(inputs))[:count])
    labels = np.load(subject.job["labels"])[rows] if "labels" in subject.job else np.zeros(len(rows), dtype=np.int64)
    calibration = torch.from_numpy(np.load(subject.job["calibration"]))
    return network(subject.job), calibration, torch.from_numpy(inputs[rows]), torch.from_numpy(labels)


def _changed(name: str, options: argparse.Namespace) -> list[Tensor]:
    """Calibration inputs, mirrored and cropped by chance as in training."""
    from benchmarks.compression.subject import Subject
    from engine.learn.prepare import prepare

    subject = Subject(name, options)
    some = subject.choosing.augment(flip=True, crop=4).train
    data = prepare(subject.model.artifact, some.artifact, "classification", torch.device("cpu")).data
    return [data.batch(part)[0] for part in torch.from_numpy(subject.rows()).split(64)]


def _labelled(name: str, options: argparse.Namespace) -> list[tuple[Tensor, Tensor]]:
    """Calibration inputs with their classes."""
    from benchmarks.compression.subject import Subject

    subject = Subject(name, options)
    x = torch.from_numpy(np.load(subject.job["calibration"]))
    y = torch.from_numpy(np.load(subject.job["learn"]["labels"])[subject.rows()])
    return list(zip(x.split(64), y.split(64), strict=True))


@torch.inference_mode()
def _answers(module: Any, x: Tensor) -> Tensor:
    return torch.cat([module(part).argmax(1) for part in x.split(128)])


@torch.inference_mode()
def _losses(module: Any, x: Tensor) -> np.ndarray:
    """Mean loss of each block of tokens."""
    parts = []
    for part in x.split(16):
        logits = module(part)[:, :-1].float()
        parts.append(nn.functional.cross_entropy(logits.transpose(1, 2), part[:, 1:], reduction="none").mean(1))
    found: np.ndarray = torch.cat(parts).double().numpy()
    return found
