"""Which precision, memory format and compilation a training begins with.

Called by the training loop. In order: what the block or the run fixes; what a checkpoint says; what the plan remembers
of this workload on this machine; what a probe finds, where the training is long enough to pay for one; else fp32,
contiguous and not compiled. A probe is said as a decision, with its timings, and kept by whoever reads the events, so
that a repeat is the same run. Must not know how long steps take beyond what a probe tells.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Optimizer

from engine.compute.backends import backend_of
from engine.compute.devices import synchronize
from engine.compute.plan import resolve
from engine.compute.probe import LONG_STEP_S, SHARE_OF_RUN, budget, candidates, label, probe
from engine.compute.profile import evidence_of
from engine.compute.rungs import Rung, legal_rungs, rung
from engine.learn.checkpoints import random_state
from engine.learn.optim.optimisers import make_optimizer
from engine.learn.options import TrainingOptions
from engine.learn.precision import make_controller
from engine.learn.state import TrainingData
from engine.learn.step import Step
from engine.learn.tasks import find_task
from engine.spec import ExecutionPlan, RunContext
from engine.spec.context import Choice

COMPILER_S, LAYER_S = 10.0, 0.4
"""What a first compiled step is expected to take: to load the compiler, and for each layer with parameters.

On 2 cores, from an empty cache, with about 9 s of loading: ResNet-18 (41 layers) 21 to 33 s, a decoder (38) 18 to 23 s,
a convnet (7) 13 to 18 s."""


def block_plan(plan: ExecutionPlan, wishes: Mapping[str, Any]) -> ExecutionPlan:
    """The plan of one block whose own parameters may overrule the run's.

    Parameters
    ----------
    wishes
        Any of ``device``, ``precision``, ``memory_format`` and ``compile``.

    Raises
    ------
    UserError
        When this machine cannot do it; says what it has.

    Examples
    --------
    >>> block_plan(ExecutionPlan(), {"precision": "bf16"}).precision
    'bf16'
    """
    wanted = dict(wishes)
    if wanted.get("device") == plan.device.split(":")[0]:
        del wanted["device"]  # which of several is the run's choice
    return resolve({**plan.model_dump(), **wanted}) if wanted else plan


def choose(
    plan: ExecutionPlan,
    key: str | None,
    module: nn.Module,
    data: TrainingData,
    options: TrainingOptions,
    ctx: RunContext,
    steps: int,
    earlier: Choice | None = None,
) -> Choice:
    """What a training of ``steps`` steps begins with.

    Parameters
    ----------
    key
        Of the workload, see :func:`engine.compute.profile.workload_key`; None: nothing is known or remembered of it.
    earlier
        What a checkpoint of this training says.
    """
    if earlier is not None:
        return earlier
    remembered = plan.choices.get(key) if key else None
    if remembered is not None:
        known = _within(plan, remembered)
        if known.compile and plan.compile == "auto" and not _earns_compiling(known, module, data, options, steps):
            return known.model_copy(update={"compile": False})
        return known
    kinds = _candidates(plan, module, data)
    count = max(2, sum(not kind.compile for kind in kinds))  # compiling is tried only with what these leave
    if key is None or len(kinds) < 2 or budget(LONG_STEP_S, steps, count) is None:
        return _within(plan, Choice())
    device = data.examples.device
    trials = _Trials(module, data, options)
    step_s = _seconds(trials.make(kinds[0]), device)
    budget_s = budget(step_s, steps, count)
    if budget_s is None:
        return _within(plan, Choice())
    choice, timings = probe(
        trials.make, kinds, budget_s, steps_left=steps, compiling_s=_compiling_s(module), device=device
    )
    ctx.decide(
        "probe",
        0,
        "{choice} is the fastest here: {best_ms} ms a step, plain fp32 takes {plain_ms} ms",
        evidence=evidence_of(plan, key, choice, timings),
        choice=label(choice),
        best_ms=f"{1000 * timings[label(choice)]:.3g}",
        plain_ms=f"{1000 * timings[label(Choice())]:.3g}",
        to=choice.precision,
    )
    return _within(plan, choice)


def _compiling_s(module: nn.Module) -> float:
    return COMPILER_S + LAYER_S * sum(bool(layer._parameters) for layer in module.modules())


def _earns_compiling(
    choice: Choice, module: nn.Module, data: TrainingData, options: TrainingOptions, steps: int
) -> bool:
    """False when a training is too short for what compiling takes: a longer one found it worth that."""
    plain = choice.model_copy(update={"compile": False})
    step_s = _seconds(_Trials(module, data, options).make(plain), data.examples.device)
    return SHARE_OF_RUN * step_s * steps >= _compiling_s(module)


def step_seconds(
    plan: ExecutionPlan, key: str | None, module: nn.Module, data: TrainingData, options: TrainingOptions
) -> float:
    """How long one step of a short training takes, for whoever fits it into a given time.

    Parameters
    ----------
    key
        As in :func:`choose`: what is remembered of it decides the precision.
    """
    remembered = plan.choices.get(key) if key else None
    choice = _within(plan, remembered or Choice()).model_copy(update={"compile": False})
    return _seconds(_Trials(module, data, options).make(choice), data.examples.device)


def _within(plan: ExecutionPlan, choice: Choice) -> Choice:
    """A choice, but for what the plan fixes."""
    fixed: dict[str, Any] = {}
    if plan.precision != "adaptive":
        fixed["precision"] = plan.precision
    if plan.memory_format != "auto":
        fixed["memory_format"] = plan.memory_format
    if plan.compile != "auto":
        fixed["compile"] = plan.compile
    return choice.model_copy(update=fixed)


def _candidates(plan: ExecutionPlan, module: nn.Module, data: TrainingData) -> list[Choice]:
    device = data.examples.device
    rungs: list[Rung] = legal_rungs(device) if plan.precision == "adaptive" else [rung(plan.precision, device)]
    formats: list[Literal["contiguous", "channels_last"]] = ["contiguous"]
    if plan.memory_format == "channels_last":
        formats = ["channels_last"]
    elif plan.memory_format == "auto" and any(isinstance(layer, nn.Conv2d) for layer in module.modules()):
        formats = ["contiguous", "channels_last"]
    compiles = [False]
    if plan.compile == "auto":
        backend = backend_of(device.type)
        compiles = [False, True] if backend is not None and backend.can_compile() else [False]
    elif plan.compile:
        compiles = [True]
    return candidates(rungs, formats, compiles)


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """Seconds of a step, the second of two; leaves the random generators alone."""
    before = random_state.torch_state(device)
    step()
    synchronize(device)
    started = time.perf_counter()
    step()
    synchronize(device)
    random_state.put_back(before, device)
    return time.perf_counter() - started


class _Quiet:
    """What a step of a probe speaks to: nobody."""

    def decide(self, *said: Any, **values: Any) -> None:
        """Say nothing."""

    def check_cancelled(self) -> None:
        """A probe is short."""


class _Trials:
    """Makes steps under a choice, on copies of the network: one for each memory format."""

    def __init__(self, module: nn.Module, data: TrainingData, options: TrainingOptions) -> None:
        self._module, self._data, self._options = module, data, options
        self._copies: dict[str, tuple[nn.Module, Optimizer]] = {}
        self._rows = torch.arange(min(options.batch_size, len(data.examples)), device=data.examples.device)

    def make(self, choice: Choice) -> Callable[[], None]:
        """A function that takes one step."""
        module, optimizer = self._copy(choice.memory_format)
        quiet: Any = _Quiet()
        device = self._data.examples.device
        step = Step(
            module, self._data, self._options, optimizer, quiet,
            make_controller(choice.precision, module, device, quiet.decide), find_task(self._options.task),
            choice=choice,
        )  # fmt: skip

        def run() -> None:
            step(self._rows, 1)

        return run

    def _copy(self, memory_format: str) -> tuple[nn.Module, Optimizer]:
        if memory_format not in self._copies:
            module = copy.deepcopy(self._module).train()
            if memory_format == "channels_last":
                module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a stub without it
            self._copies[memory_format] = module, make_optimizer(module, self._options)
        return self._copies[memory_format]
