"""What each part of our methods of compression brings: the same network with and without it, in a few minutes.

Called by :mod:`benchmarks.compression`. Ranges and importance come from the training part; answers are counted on part
of the test part, drawn by one seed, which nothing is chosen by.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.compression import models
from benchmarks.compression.race import paired, wilson


def ablation(options: argparse.Namespace) -> dict[str, Any]:
    """What the parts of our methods bring, on examples that nothing was chosen by."""
    found: dict[str, Any] = {}
    for name, part in (("int8", _int8), ("int4", _int4), ("pruning", _pruning)):
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
    """Kinds of importance, mending and counting anew, without any training: ResNet-18, part of the test images."""
    from engine.compress.prune import prune

    module, calibration, x, y = _network("resnet18", options, 1_000)
    about = models.load("resnet18")[0].spec
    labelled = _labelled("resnet18", options)
    plain = {"importance": "l1", "examples": None}
    kinds: dict[str, dict[str, Any]] = {
        "L1, nothing else": plain,
        "L1, batch norm counted anew": {"importance": "l1", "mended": False},
        "L1, mended": {"importance": "l1"},
        "L2, mended": {"importance": "l2"},
        "batch norm, mended": {"importance": "batch_norm"},
        "Taylor, mended": {"importance": "taylor"},
        "Taylor, mended, per layer": {"importance": "taylor", "scope": "layer"},
    }
    print(f"\nablation, pruning: ResNet-18, a quarter of the channels, no training, {len(y)} test images")
    rows = {}
    for kind, settings in kinds.items():
        small = prune(
            module, about["architecture"], about["config"], calibration[:1],
            **{"ratio": 0.25, "examples": labelled, **settings},
        )  # fmt: skip
        rows[kind] = {
            "accuracy": float((_answers(small.module, x) == y).float().mean()),
            "macs": small.macs_after / small.macs_before, "parameters": small.params_after / small.params_before,
        }  # fmt: skip
        print(
            f"  {kind:32} {100 * rows[kind]['accuracy']:.1f} % with {100 * rows[kind]['macs']:.0f} % of the work",
            flush=True,
        )
    return rows


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
