"""Torch-Pruning with a fine-tuning of a given length: what :mod:`benchmarks.compression.tools` measures ours beside.

Magnitude importance over groups, one ratio over all layers (global), channels in eights, the last layer kept: as its
own scripts for CIFAR do. The fine-tuning is a plain loop: SGD with Nesterov momentum, one cycle of the rate, flips and
crops, bf16 where the processor has it, all threads; it ends when its time is over. What it made is kept beside the
contestants.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

BATCH = 128
RATE = 0.05
PADDING = 4


def pruned(job: dict[str, Any], module: nn.Module) -> tuple[Path, dict[str, Any]]:
    """The ONNX file of the pruned network, and its parameters and seconds."""
    import torch_pruning

    settings = job["settings"]
    file = Path(job["folder"]).parent / f"torch-pruning-{settings['ratio']:g}-{settings['seconds']:.0f}.onnx"
    if file.exists():
        kept: dict[str, Any] = json.loads(file.with_suffix(".json").read_text())
        return file, kept
    sample = torch.from_numpy(np.load(job["calibration"])[:2])
    before, parameters = torch_pruning.utils.count_ops_and_params(module, sample[:1])
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)][-1]
    pruner = torch_pruning.pruner.BasePruner(
        module, sample, importance=torch_pruning.importance.GroupMagnitudeImportance(p=2), global_pruning=True,
        pruning_ratio=settings["ratio"], max_pruning_ratio=0.8, round_to=8, ignored_layers=[last],
    )  # fmt: skip
    pruner.step()
    after, left = torch_pruning.utils.count_ops_and_params(module, sample[:1])
    torch.set_num_threads(os.cpu_count() or 1)  # our search trains with all of them too
    steps = fine_tune(module, job["learn"], settings["seconds"])
    torch.set_num_threads(job["threads"])
    batch = torch.export.Dim("batch", min=1)
    program = torch.onnx.export(
        module.eval(), (sample,), dynamo=True, opset_version=20, dynamic_shapes=({0: batch},), verbose=False
    )
    assert program is not None
    told = {"parameters": left, "parameters_before": parameters, "macs": after, "macs_before": before, "steps": steps}
    file.with_suffix(".json").write_text(json.dumps(told))
    program.save(str(file))
    return file, told


def fine_tune(module: nn.Module, learn: dict[str, Any], seconds: float) -> int:
    """Train for a time; gives back the number of steps."""
    pixels, labels = (torch.from_numpy(np.load(learn[part])) for part in ("images", "labels"))
    factor, summand = (torch.tensor(learn[part]).reshape(1, -1, 1, 1) for part in ("factor", "summand"))
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    module.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a stub without it
    optimizer = torch.optim.SGD(module.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    started, steps, share = time.perf_counter(), 0, 0.0
    while share < 1:
        for rows in torch.randperm(len(labels), generator=generator).split(BATCH):
            share = (time.perf_counter() - started) / seconds
            if share >= 1:
                break
            rate = RATE * (share / 0.2 if share < 0.2 else (1 - share) / 0.8)
            for group in optimizer.param_groups:
                group["lr"] = rate
            x = changed(pixels[rows].float() * factor + summand, generator)
            with torch.autocast("cpu", torch.bfloat16):
                loss = nn.functional.cross_entropy(module(x).float(), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1
    module.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as above
    return steps


def changed(x: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the images mirrored, each batch shifted by up to four pixels."""
    mirrored = torch.rand(len(x), generator=generator) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    down, right = torch.randint(0, 2 * PADDING + 1, (2,), generator=generator).tolist()
    height, width = x.shape[2:]
    wide = nn.functional.pad(x, [PADDING] * 4)
    return wide[:, :, down : down + height, right : right + width].contiguous(memory_format=torch.channels_last)
