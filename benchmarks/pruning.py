"""What ranking and mending bring to a pruned network before any training, on handwritten digits.

    python -m benchmarks.pruning [--seeds 3] [--remaining 0.5] [--json FILE]

Four networks are trained on 1,400 of scikit-learn's digits, pruned until half of their multiplications are left, and
asked about the other 397; 512 training examples rank and mend. Each figure is a mean over seeds, in points of accuracy
lost. It takes some minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from engine.compress.prune import Importance
from engine.compress.prune.method import Pruning
from engine.compress.prune.target import cost_of, prune_to, share_of
from engine.errors import UserError
from engine.models import build

IMAGES = {"in_channels": 1, "num_classes": 10}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "perceptron": ("mlp", {"in_features": 64, "num_classes": 10, "hidden": [128, 64]}),
    "convnet": ("convnet", {**IMAGES, "widths": [32, 64, 64]}),
    "ResNet-18, narrow": (
        "resnet18",
        {
            **IMAGES,
            "stem_width": 16,
            "stage_widths": [16, 32, 48, 64],
            "inner_widths": [[[16], [16]], [[32], [32]], [[48], [48]], [[64], [64]]],
        },
    ),
    "ViT, 3 layers": (
        "vit",
        {
            **IMAGES, "image_size": [8, 8], "patch_size": 2,
            "hidden_size": 48, "layers": 3, "heads": 6, "intermediate_size": 96,
        },
    ),
}  # fmt: skip
LEARN, RANK, EPOCHS = 1400, 512, 12


class Digits:
    """Images and labels, in an order of their own for each seed."""

    def __init__(self, seed: int) -> None:
        from sklearn.datasets import load_digits

        source = load_digits()
        order = np.random.default_rng(seed).permutation(len(source.images))
        self.x = torch.from_numpy(source.images[order][:, None].astype(np.float32) / 8 - 1)
        self.y = torch.from_numpy(source.target[order])

    def accuracy(self, module: nn.Module) -> float:
        """In per cent, on what was not learned from."""
        with torch.no_grad():
            return 100 * float((module(self.x[LEARN:]).argmax(1) == self.y[LEARN:]).float().mean())

    def trained(self, module: nn.Module) -> nn.Module:
        """The network after some epochs of AdamW with a falling rate."""
        optimizer = torch.optim.AdamW(module.train().parameters())
        for epoch in range(EPOCHS):
            optimizer.param_groups[0]["lr"] = 3e-3 * (1 - epoch / EPOCHS)
            for rows in torch.split(torch.randperm(LEARN), 64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(self.x[rows]), self.y[rows]).backward()
                optimizer.step()
        return module.eval()

    def examples(self) -> list[tuple[Tensor, Tensor]]:
        """What ranks and mends."""
        return [(self.x[rows], self.y[rows]) for rows in torch.split(torch.arange(RANK), 32)]


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--remaining", type=float, default=0.5, help="share of the multiplications that is left")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    lost: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in NETWORKS}
    for seed in range(options.seeds):
        for name in NETWORKS:
            for way, value in measured(name, seed, options.remaining).items():
                lost[name][way].append(value)
            print(f"seed {seed}: {name} is done", flush=True)
    table = {
        name: {way: round(float(np.mean(values)), 2) for way, values in rows.items()} for name, rows in lost.items()
    }
    ways = list(dict.fromkeys(way for rows in table.values() for way in rows))
    print(f"{'points lost':28}" + "".join(f"{name:>20}" for name in table))
    for way in ways:
        print(f"{way:28}" + "".join(f"{rows.get(way, float('nan')):20.2f}" for rows in table.values()))
    if options.json:
        options.json.write_text(json.dumps({"seeds": options.seeds, "remaining": options.remaining, "lost": table}))


def measured(name: str, seed: int, remaining: float) -> dict[str, float]:
    """Points of accuracy that each way to prune loses."""
    architecture, config = NETWORKS[name]
    torch.manual_seed(seed)
    digits = Digits(seed)
    module = digits.trained(build(architecture, config))
    base, one = digits.accuracy(module), digits.x[:1]
    share, step = share_of("macs", module, one), 1 if architecture == "vit" else 4
    found = {"accuracy before, %": base}
    for importance in (*get_args(Importance), "measured"):
        for mended in (False, True):
            try:
                pruning = Pruning(
                    module, architecture, config, one,
                    importance=importance, examples=digits.examples(), mended=mended,
                )  # fmt: skip
            except UserError:  # no batch normalisation
                continue
            for cost in (None, cost_of("macs")) if importance == "measured" else (None,):
                small = pruning.closest(lambda ranked: prune_to(ranked, share, remaining, "global", step)[0], cost)
                way = f"{importance}{' with costs' if cost else ''}, {'mended' if mended else 'as it is'}"
                found[way] = base - digits.accuracy(small.module)
    return found


if __name__ == "__main__":
    main()
