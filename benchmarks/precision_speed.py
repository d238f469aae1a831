"""Speed, cost and accuracy of adaptive precision: the timed parts of `benchmarks.precision`.

The tasks are those of `benchmarks.precision_tasks`. Everything is timed by steps (the context hears of each), so
loading is not in it, and in turns, so that a machine that slows down slows all alike. What compiles has a long first
step, therefore `speed` compares whole trainings, first steps included, and says the ratio of the later steps
beside it.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.precision_tasks import Work, works
from engine.artifacts import ArtifactStore
from engine.compute import applied, resolve
from engine.compute.probe import label
from engine.compute.profile import workload_key
from engine.learn import TrainingData, train
from engine.learn.choosing import _candidates, _Trials, choose
from engine.learn.optim.optimisers import make_optimizer
from engine.run.context import BlockContext, EventWriter
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from engine.spec.context import Choice

T95 = {4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


class _Timed(BlockContext):
    """A run context that notes when each step was done."""

    def check_cancelled(self) -> None:
        times = self.__dict__.setdefault("times", [])
        times.append(time.perf_counter())


def run(work: Work, plan: ExecutionPlan, seed: int, steps: int = 0, validate: bool = False) -> tuple[float, float]:
    """Train once; returns seconds a step, its median after the warm-up, and the metric of the held-out examples."""
    module, data, options = _started(work, plan, seed), work.data, work.options
    if steps:
        rows = torch.arange(steps * options.batch_size) % len(data.examples)
        inputs = Examples(data.examples.take(rows))
        data = TrainingData(inputs, None if data.targets is None else data.targets[rows], derive=data.derive)
        options = replace(options, epochs=1)
    with tempfile.TemporaryDirectory() as folder, EventWriter(lambda event: event.to_json() and None) as writer:
        ctx = _Timed(
            block_id="train", seed=seed, plan=plan, document={}, store=ArtifactStore(Path(folder) / "store"),
            workdir=Path(folder) / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip
        with applied(plan, seed):
            result = train(
                module,
                data,
                options,
                ctx,
                validation=work.held_out if validate else None,
                seed=seed,
                workload=work.name,
            )
    times = ctx.__dict__["times"]
    warm = min(len(times) // 4, 20)
    pauses = [after - before for before, after in zip(times[warm:], times[warm + 1 :], strict=False)]
    # the mean, not the median: what the controller does now and then counts
    return statistics.mean(pauses), result.metrics.get(work.metric, float("nan"))


def _started(work: Work, plan: ExecutionPlan, seed: int) -> nn.Module:
    with applied(plan, seed):
        return work.make()


def _plan(options: argparse.Namespace, **wanted: Any) -> ExecutionPlan:
    return resolve({"device": "cpu", "threads": options.threads, **wanted})


def _fixed(options: argparse.Namespace, choice: Choice) -> ExecutionPlan:
    return _plan(options, precision=choice.precision, memory_format=choice.memory_format, compile=choice.compile)


def _adaptive(options: argparse.Namespace, work: Work, choice: Choice) -> ExecutionPlan:
    # compiling is held to: a turn alone is too short to earn it, the training that it was chosen for is not
    plan = _plan(options, precision="adaptive", memory_format="auto", compile=choice.compile)
    return plan.model_copy(update={"choices": {work.name: choice}})


def _in_turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    """What each of two takes, after one time of each that does not count."""
    first(), second()
    found = []
    for number in range(rounds):
        if number % 2:
            theirs, mine = second(), first()
        else:
            mine, theirs = first(), second()
        found.append((mine, theirs))
    return found


def _middle(values: list[float]) -> tuple[float, float, float]:
    """Median, lowest and highest."""
    return statistics.median(values), min(values), max(values)


def _ratios(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Median, lowest and highest of what the second takes over what the first takes, in turns."""
    return _middle([theirs / mine for mine, theirs in _in_turns(first, second, rounds)])


def overhead(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What watching costs: adaptive over the same precision fixed."""
    rows = []
    for work in works(options):
        count = 6 if options.quick else work.turn
        for precision in ("bf16", "fp32"):
            choice = Choice(precision=precision)
            watched, plain = _adaptive(options, work, choice), _fixed(options, choice)
            ratio, low, high = _ratios(
                lambda w=work, p=plain, n=count: run(w, p, 0, n)[0],
                lambda w=work, p=watched, n=count: run(w, p, 0, n)[0],
                2 if options.quick else options.rounds,
            )
            rows.append({"task": work.name, "precision": precision, "ratio": ratio, "low": low, "high": high})
            print(
                f"{work.name:28} {precision}: watched / fixed {ratio:.4f} ({low:.3f} to {high:.3f}; reach <= 1.02)",
                flush=True,
            )
    return rows


def speed(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Adaptive against the best of all static settings, and over plain fp32."""
    rows = []
    for work in works(options):
        open_plan = _plan(options, precision="adaptive", memory_format="auto", compile="auto")
        rounds, each = (1, 1) if options.quick else (options.rounds, 20 if "convnet" in work.name else 2)
        module = _started(work, open_plan, 0)
        settings = _every(open_plan, module, work.data, compiled=not options.quick)
        timings = _exhaustive(work, open_plan, module, settings, rounds, each)
        best = min(timings, key=lambda choice: timings[choice].of(work.length))
        chosen, probe_s = _chosen(work, open_plan, module, options)
        steps = 6 if options.quick else work.turn
        pairs = _in_turns(
            lambda w=work, c=chosen, n=steps: run(w, _adaptive(options, w, c), 0, n)[0],
            lambda w=work, c=best, n=steps: run(w, _fixed(options, c), 0, n)[0],
            rounds,
        )
        wholes = [
            replace(timings[best], step_s=theirs).of(work.length)
            / replace(timings[chosen], step_s=mine).of(work.length)
            for mine, theirs in pairs
        ]
        ratio, low, high = _middle(wholes)
        step_ratio, step_low, step_high = _middle([theirs / mine for mine, theirs in pairs])
        plain, plain_low, plain_high = _ratios(
            lambda w=work, c=chosen, n=steps: run(w, _adaptive(options, w, c), 0, n)[0],
            lambda w=work, n=steps: _by_hand(w, options, n),
            rounds,
        )
        rows.append(
            {"task": work.name, "steps": work.length, "best": str(best), "chosen": str(chosen),
             "of the best": [ratio, low, high], "of the best, steps": [step_ratio, step_low, step_high],
             "probe_s": probe_s, "over plain fp32": [plain, plain_low, plain_high],
             "static": {label(choice): [taken.step_s, taken.of(work.length)] for choice, taken in timings.items()}}
        )  # fmt: skip
        print(
            f"{work.name:28} adaptive chose {label(chosen)}, the best is {label(best)}: "
            f"{ratio:.3f} of its speed ({low:.3f} to {high:.3f}; reach >= 0.97)\n"
            f"{'':28} without the first step {step_ratio:.3f} ({step_low:.3f} to {step_high:.3f}); "
            f"choosing took {probe_s:.1f} s, once for this machine\n"
            f"{'':28} over a warm plain fp32 loop {plain:.2f}x ({plain_low:.2f} to {plain_high:.2f}"
            f"{'; reach >= 1.9' if 'ResNet' in work.name else ''})",
            flush=True,
        )
        for choice, taken in sorted(timings.items(), key=lambda pair: pair[1].of(work.length)):
            print(
                f"{'':32}{label(choice):32} {1000 * taken.step_s:9.2f} ms a step, "
                f"{taken.of(work.length):7.1f} s for {work.length} steps",
                flush=True,
            )
    return rows


def _every(plan: ExecutionPlan, module: nn.Module, data: TrainingData, compiled: bool) -> list[Choice]:
    """Precision x memory format x compile, without exception."""
    found = {choice.model_copy(update={"compile": False}) for choice in _candidates(plan, module, data)}
    kinds = sorted(found, key=str)
    return kinds + ([choice.model_copy(update={"compile": True}) for choice in kinds] if compiled else [])


@dataclass(frozen=True)
class _Taken:
    """Seconds of the first step, which compiles, and the median of the later ones."""

    first_s: float
    step_s: float

    def of(self, steps: int) -> float:
        """Seconds of a training."""
        return self.first_s + (steps - 1) * self.step_s


def _exhaustive(
    work: Work, plan: ExecutionPlan, module: nn.Module, settings: list[Choice], rounds: int, each: int
) -> dict[Choice, _Taken]:
    """What each setting takes: the first step alone, the later ones in turns."""
    with applied(plan, 0):
        trials = _Trials(module, work.data, work.options)
        steps = {choice: trials.make(choice) for choice in settings}
        times: dict[Choice, list[float]] = {choice: [] for choice in settings}
        firsts = {}
        starting_s = _start_compiler() if any(choice.compile for choice in settings) else 0.0
        for choice, step in steps.items():
            started = time.perf_counter()
            step()
            firsts[choice] = time.perf_counter() - started + (starting_s if choice.compile else 0.0)
            print(f"  first step of {label(choice)}: {firsts[choice]:.1f} s", file=sys.stderr, flush=True)
            step()
        for _ in range(rounds):
            for choice, step in steps.items():
                started = time.perf_counter()
                for _ in range(each):
                    step()
                times[choice].append((time.perf_counter() - started) / each)
    return {choice: _Taken(firsts[choice], statistics.median(values)) for choice, values in times.items()}


@functools.cache
def _start_compiler() -> float:
    """Seconds until the compiler is loaded: a training that compiles is a process of its own and pays them."""
    started = time.perf_counter()
    torch.compile(lambda x: x + 1)(torch.ones(2))
    return time.perf_counter() - started


def _chosen(work: Work, plan: ExecutionPlan, module: nn.Module, options: argparse.Namespace) -> tuple[Choice, float]:
    """What a training of this task chooses, by the product's own probe, and the seconds that it takes."""
    key = workload_key(work.name, {}, work.data.examples.shape, work.options.batch_size, work.options.task, plan.device)
    with tempfile.TemporaryDirectory() as folder, EventWriter(lambda event: None) as writer, applied(plan, 0):
        ctx = _Timed(
            block_id="train", seed=0, plan=plan, document={}, store=ArtifactStore(Path(folder) / "store"),
            workdir=Path(folder) / "work", writer=writer, stop=lambda: None,
        )  # fmt: skip
        steps = 2_000 if options.quick else work.length
        started = time.perf_counter()
        choice = choose(plan, key, module, work.data, work.options, ctx, steps)
    return choice, time.perf_counter() - started


def _by_hand(work: Work, options: argparse.Namespace, steps: int) -> float:
    """Seconds a step of a loop as a person would write it: fp32, nothing else; warm."""
    from engine.learn.tasks import find_task

    plan = _plan(options, precision="fp32", memory_format="contiguous", compile=False)
    loss_of = find_task(work.options.task).loss(work.options)
    with applied(plan, 0):
        module = work.make().train()
        optimizer = make_optimizer(module, work.options)
        rows = torch.arange(steps * work.options.batch_size) % len(work.data.examples)
        times = []
        for batch in rows.split(work.options.batch_size):
            x, y = work.data.batch(batch)
            optimizer.zero_grad()
            loss = loss_of(module(x), y)
            torch.autograd.backward(loss)
            optimizer.step()
            times.append(time.perf_counter())
    warm = min(len(times) // 4, 20)
    return (times[-1] - times[warm]) / (len(times) - 1 - warm)


def accuracy(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Paired difference of adaptive to fp32, in points."""
    rows = []
    count = 2 if options.quick else max(5, options.seeds)
    for work in works(options):
        differences = []
        for seed in range(count):
            watched = run(work, _adaptive(options, work, Choice(precision="bf16")), seed, validate=True)[1]
            plain = run(work, _plan(options, precision="fp32"), seed, validate=True)[1]
            differences.append(100 * (watched - plain))
        mean, spread = statistics.mean(differences), statistics.stdev(differences)
        reach = T95.get(count - 1, 2.0 if count > 10 else 12.7) * spread / count**0.5
        rows.append({"task": work.name, "differences": differences, "mean": mean, "low": mean - reach})
        print(
            f"{work.name:28} adaptive (bf16) - fp32: {mean:+.2f} points, 95 % interval {mean - reach:+.2f} to "
            f"{mean + reach:+.2f}, {count} seeds (reach: above -0.3)",
            flush=True,
        )
    return rows
