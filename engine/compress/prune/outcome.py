"""What pruning cost and gained: both models side by side, measured here.

Called by pruning in rounds. Must not know how the smaller model was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.artifacts import ModelRef
from engine.compress.macs import count
from engine.compress.prune.timing import latencies
from engine.learn.measure.validation import validate
from engine.learn.state import TrainingData
from engine.learn.tasks import Task
from engine.runtime.models import WEIGHTS

TIMING_S = 1.5
SLOWER = 1.1
SLOWER_MS = 0.05
AT_ONCE = 32
ANSWERS = ("classification", "language_model", "masked_lm")
"""Tasks whose outputs name one of several things."""


@dataclass(frozen=True)
class Judge:
    """How good a network is on examples that were set aside.

    Attributes
    ----------
    data
        With their targets; None: nothing was set aside.
    """

    task: Task
    data: TrainingData | None
    check: Callable[[], None]

    def numbers(self, module: nn.Module) -> dict[str, float]:
        """Metrics of the task without their prefix, such as ``accuracy`` and ``loss``."""
        if self.data is None:
            return {}
        found = validate(module, self.data, self.task, self.check)
        return {name.removeprefix("validation_"): value for name, value in found.items()}


def compared(
    refs: tuple[ModelRef, ModelRef],
    modules: tuple[nn.Module, nn.Module],
    numbers: tuple[dict[str, float], dict[str, float]],
    x: Tensor,
    task: str,
    check: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The report of a pruned model beside the original; each pair is (before, after).

    Parameters
    ----------
    refs
        Both models, with their weights.
    modules
        Both networks, on the CPU.
    numbers
        What :class:`Judge` found of both.
    x
        Inputs (B, ...) to compare answers on; the first one is timed.

    Returns
    -------
    dict
        ``size_before_bytes``, ``size_after_bytes`` (of the weights on disk), ``shrunk`` (share that is gone);
        ``params_*`` and ``macs_*``; ``before_ms``, ``after_ms`` and ``speed_up``: median latency of one example in
        PyTorch; ``agreement``: share of equal answers, for tasks that name something; ``accuracy_before``,
        ``accuracy_after`` and ``drop``, or the same of the loss, where examples were set aside.
    """
    before, after = (count(module, x[:1]) for module in modules)
    sizes = [float(ref.files[WEIGHTS]["size"]) for ref in refs]
    times = latencies({"before": modules[0], "after": modules[1]}, x[:1], TIMING_S, check)
    report = {
        "size_before_bytes": sizes[0],
        "size_after_bytes": sizes[1],
        "shrunk": 1 - sizes[1] / sizes[0],
        "params_before": float(before.params),
        "params_after": float(after.params),
        "macs_before": float(before.macs),
        "macs_after": float(after.macs),
        "before_ms": times["before"],
        "after_ms": times["after"],
        "speed_up": times["before"] / times["after"],
    }
    if task in ANSWERS:
        same = [_same(modules, part) for part in torch.split(x, AT_ONCE)]
        report["agreement"] = float(torch.cat(same).float().mean())
    for name in numbers[0].keys() & numbers[1].keys():
        report |= {f"{name}_before": numbers[0][name], f"{name}_after": numbers[1][name]}
    if "accuracy" in numbers[0]:
        report["drop"] = numbers[0]["accuracy"] - numbers[1]["accuracy"]
    return report


@torch.inference_mode()
def _same(modules: tuple[nn.Module, nn.Module], x: Tensor) -> Tensor:
    before, after = (module(x).argmax(-1) for module in modules)
    same: Tensor = before == after
    return same.flatten()


def is_slower(report: dict[str, float]) -> bool:
    """Clearly: by more than a tenth, and by more than the twentieth of a millisecond."""
    before, after = report["before_ms"], report["after_ms"]
    return after > SLOWER * before and after - before > SLOWER_MS
