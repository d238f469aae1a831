"""Choose precision, memory format and compilation by the clock.

Called at the start of a training that is long enough to pay for it. It times steps that somebody else makes; it must
not know models, data or optimisers.

Why measure: on a CPU with bf16 units bf16 is twice as fast as fp32, on one without them twice as slow; small matrix
products on a GPU are slower under autocast than without it; channels-last helps convolutions on some devices and costs
on others. No table knows, and a few steps do.
"""

from __future__ import annotations

import logging
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from engine.compute.devices import random_state_kept, synchronize
from engine.compute.rungs import Rung
from engine.spec.context import Choice

Step = Callable[[], None]
MakeStep = Callable[[Choice], Step]

SHARE_OF_RUN = 0.03
"""Of the predicted time of a training, what measuring may cost."""
WARM_UP, LEAST_ROUNDS, MOST_ROUNDS = 3, 3, 9
LONG_STEP_S = 0.2
"""Steps of that length are steady enough that two warm ones tell."""
LONG_WARM_UP, LONG_ROUNDS = 2, 1
HOPELESS = 2.0
"""Times as slow as the fastest after warming up: no further rounds."""
NOISE = 0.02
"""Two times closer than that are equal, and the safer or simpler choice is taken."""
SAMPLE_S = 0.005
"""Steps are timed in bundles at least that long: the clock and the device's queue have their own noise."""
_SAFETY = {"fp16": 0, "bf16": 1, "tf32": 2, "fp32": 3}

log = logging.getLogger(__name__)


def candidates(
    rungs: Sequence[Rung],
    memory_formats: Sequence[Literal["contiguous", "channels_last"]] = ("contiguous",),
    compiles: Sequence[bool] = (False,),
) -> list[Choice]:
    """Every combination, fp32 contiguous uncompiled first.

    >>> from engine.compute.rungs import RUNGS
    >>> [label(c) for c in candidates([RUNGS["bf16"], RUNGS["fp32"]], ["contiguous", "channels_last"])]
    ['fp32', 'bf16', 'fp32 channels_last', 'bf16 channels_last']
    """
    plain_first = sorted(rungs, key=lambda rung: -_SAFETY[rung.name])
    return [
        Choice(precision=rung.name, memory_format=memory_format, compile=compiled)
        for compiled in sorted(compiles)
        for memory_format in sorted(memory_formats, reverse=True)
        for rung in plain_first
    ]


def label(choice: Choice) -> str:
    """A choice in a few words, as timings name it.

    >>> label(Choice(precision="bf16", memory_format="channels_last", compile=True))
    'bf16 channels_last compiled'
    """
    parts: list[str] = [choice.precision]
    if choice.memory_format != "contiguous":
        parts.append(choice.memory_format)
    if choice.compile:
        parts.append("compiled")
    return " ".join(parts)


def budget(step_s: float, steps_left: int, count: int) -> float | None:
    """Seconds that a probe of ``count`` candidates may take; None when the training is too short for one.

    Parameters
    ----------
    step_s
        Seconds of a plain step.

    Examples
    --------
    >>> budget(0.01, 500, 4) is None, budget(1.0, 500, 4)
    (True, 15.0)
    """
    allowed = SHARE_OF_RUN * step_s * steps_left
    steps = LONG_WARM_UP + LONG_ROUNDS if step_s >= LONG_STEP_S else WARM_UP + LEAST_ROUNDS
    return allowed if allowed >= step_s * steps * count else None


def probe(
    make_step: MakeStep,
    candidates: Sequence[Choice],
    budget_s: float,
    *,
    steps_left: int,
    compiling_s: float = math.inf,
    device: torch.device | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Choice, dict[str, float]]:
    """Time each candidate and say which to train with.

    Candidates are warmed up, then timed in turns, so that a machine that slows down slows all of them; medians of the
    faster half are compared, since the slower half tells what else the machine did. What fails (memory, an operation
    without a kernel) or is slower than fp32 is dropped. Compiling is tried last, on the best of the others, and only
    when the training is long enough to earn it back.

    Parameters
    ----------
    make_step
        Gives a function that does one step under a choice, on a copy of the network: nothing may be left behind. The
        random generators are put back here.
    candidates
        As :func:`candidates` lists them. fp32 contiguous is added when it is missing.
    budget_s
        Seconds to spend; the least number of rounds is run in any case.
    steps_left
        Steps that the choice will serve.
    compiling_s
        What the first compiled step is expected to take; it is tried where the budget has that much left.

    Returns
    -------
    choice
        The fastest; among equals the safest precision and the plainest form.
    timings
        Label -> seconds a step, for each candidate that ran.

    Raises
    ------
    Exception
        Whatever the fp32 step raises.
    """
    plain = Choice()
    eager = [plain, *(choice for choice in candidates if not choice.compile and choice != plain)]
    place = device or torch.device("cpu")
    with random_state_kept(place):
        started = clock()
        trials = _warmed(make_step, eager, place, clock)
        _race(trials, started + budget_s, clock)
        best = _best(trials)
        compiled = best.choice.model_copy(update={"compile": True})
        left_s = budget_s - (clock() - started)
        if compiled in candidates and left_s >= compiling_s:
            trial = _compiled(make_step, compiled, place, clock)
            if trial is not None:
                _race([best, trial], clock() + left_s, clock)
                trials.append(trial)
                if steps_left * (best.step_s - trial.step_s) > trial.first_s:
                    best = trial
    return best.choice, {label(trial.choice): trial.step_s for trial in trials}


@dataclass
class _Trial:
    """One candidate and what its steps took."""

    choice: Choice
    step: Step
    device: torch.device
    clock: Callable[[], float]
    first_s: float = 0.0
    bundle: int = 1
    samples: list[float] = field(default_factory=list)

    @property
    def step_s(self) -> float:
        faster = sorted(self.samples)[: (len(self.samples) + 1) // 2]
        return statistics.median(faster)

    def run(self, steps: int) -> float:
        """Seconds a step, of some steps in a row."""
        started = self.clock()
        for _ in range(steps):
            self.step()
        synchronize(self.device)
        return (self.clock() - started) / steps

    def warm_up(self) -> None:
        self.first_s = self.run(1)
        seconds = self.run(1)
        if seconds < LONG_STEP_S:
            seconds = min(seconds, *(self.run(1) for _ in range(WARM_UP - 2)))
        self.bundle = max(1, min(50, round(SAMPLE_S / max(seconds, 1e-6))))
        self.samples = [seconds]


def _warmed(
    make_step: MakeStep, choices: Iterable[Choice], device: torch.device, clock: Callable[[], float]
) -> list[_Trial]:
    trials: list[_Trial] = []
    for choice in choices:
        try:
            trial = _Trial(choice, make_step(choice), device, clock)
            trial.warm_up()
        except Exception as error:  # any reason not to run is a reason not to choose it
            if not trials:
                raise
            log.info("%s cannot be used: %s", label(choice), error)
            continue
        trials.append(trial)
    return trials


def _race(trials: Sequence[_Trial], until: float, clock: Callable[[], float]) -> None:
    """Time in turns. The first sample of each, from warming up, decides who takes part, and counts when it was long."""
    fastest_s = min(trial.samples[0] for trial in trials)
    running = [trial for trial in trials if trial.samples[0] <= HOPELESS * fastest_s]
    least = LONG_ROUNDS if fastest_s >= LONG_STEP_S else LEAST_ROUNDS
    for trial in running:
        if trial.samples[0] < LONG_STEP_S:
            trial.samples.clear()
    for done in range(MOST_ROUNDS):
        if done >= least and clock() >= until:
            return
        for trial in running:
            trial.samples.append(trial.run(trial.bundle))


def _best(trials: Sequence[_Trial]) -> _Trial:
    """The fastest that is not slower than fp32; among equals the safest and plainest."""
    exact_s = min(trial.step_s for trial in trials if trial.choice.precision == "fp32")
    faster = [t for t in trials if t.choice.precision == "fp32" or t.step_s < exact_s * (1 - NOISE)]
    equal_s = min(trial.step_s for trial in faster) * (1 + NOISE)
    return max(
        (trial for trial in faster if trial.step_s <= equal_s),
        key=lambda trial: (
            _SAFETY[trial.choice.precision],
            trial.choice.memory_format == "contiguous",
            -trial.step_s,
        ),
    )


def _compiled(make_step: MakeStep, choice: Choice, device: torch.device, clock: Callable[[], float]) -> _Trial | None:
    """The compiled form, warmed up; its first step is what compiling took. None when it cannot be compiled."""
    try:
        trial = _Trial(choice, make_step(choice), device, clock)
        trial.warm_up()
    except Exception as error:  # the compiler may fail in any way; the training goes on without it
        log.info("%s cannot be used: %s", label(choice), error)
        return None
    return trial
