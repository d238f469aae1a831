"""Train a pruned network for as long as there is time, with the original as its teacher where that knows enough.

Called by the search. It is the training loop of every block, so precision, checkpoints and resuming come along; what
the loop says on the way is kept out of the run's curves, since a search trains many networks.
"""

from __future__ import annotations

import contextlib
import copy
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts import ArtifactStore
from engine.compress.int8 import Int8
from engine.compress.qat import learnable, train_int8
from engine.compute.profile import workload_key
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.choosing import choose, step_seconds
from engine.learn.distil import Distillation, DistilOptions
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session
from engine.spec import Choice, ExecutionPlan, RunContext
from engine.spec.context import LogLevel

BATCH_SIZE, LARGE_BATCH, MANY = 64, 128, 20_000
"""Examples in a step; more of them where there are many examples, since that is faster."""
RATES = {"tokens": 2e-4}
RATE = 1e-3
LONG: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 5e-4, "warm_up": 0.2}
"""For networks with batch normalisation and many examples, where long trainings end higher with it than with AdamW."""
TEACHERS_WEIGHT = 0.7
ROUNDED_RATE, ROUNDED_TEMPERATURE, ROUNDED_WEIGHT = 1e-4, 2.0, 0.9
"""Of training through rounding: the network knows its task already."""
SHORTEST_STEPS = 10


@dataclass(frozen=True)
class Tuner:
    """Trains candidates.

    Attributes
    ----------
    spec, teacher
        The model that was given.
    data
        On the device where it trains.
    epochs
        How often each example is seen, where there is time.
    choices
        What the first training found fastest, for those that follow.
    quick
        An ONNX file that answers as the teacher does, in less time; None where there is none.
    teaches
        False: what was pruned learns from the labels alone.
    """

    spec: ModelSpec
    teacher: nn.Module
    data: TrainingData
    epochs: int
    ctx: RunContext
    check: Callable[[], None]
    choices: dict[str, Choice] = field(default_factory=dict)
    quick: Callable[[], bytes | None] = lambda: None
    teaches: bool = True

    def tune(self, module: nn.Module, name: str, seconds: float | None) -> None:
        """Train a network in place; it comes back to the CPU, in evaluation mode.

        Parameters
        ----------
        name
            Of the candidate: its checkpoints lie under it.
        seconds
            Time that it may take, roughly; None: all epochs.
        """
        data = self._taught()
        module.to(data.examples.device).train()
        plan = self._planned(module, data, seconds)
        data, options = self._fitting(module, data, self._long_options(), seconds, plan)
        with self._checkpoints(name) as folder:
            train(
                module,
                data,
                options,
                Aside(self.ctx, self.check),
                seed=self.ctx.seed,
                checkpoints=folder,
                identity=_identity(name, data, options),
                plan=plan,
                workload=self._workload(options),
            )
        module.cpu().eval()

    def refine(self, int8: Int8, name: str, seconds: float | None) -> Int8:
        """Train a rounded network through its rounding; parameters as in :meth:`tune`."""
        distil = DistilOptions(ROUNDED_TEMPERATURE, ROUNDED_WEIGHT)
        options = replace(self._options(), learning_rate=ROUNDED_RATE, distil=distil)
        graph = learnable(int8.graph).to(self.data.examples.device)
        data, options = self._fitting(graph, self.data, options, seconds, self.ctx.plan)
        with self._checkpoints(name) as folder:
            return train_int8(
                int8, data, options, Aside(self.ctx, self.check), self._teacher(),
                seed=self.ctx.seed, checkpoints=folder, identity=_identity(name, data, options),
            )  # fmt: skip

    def steps_in(self, module: nn.Module, seconds: float | None) -> int:
        """How many steps a training of a network can have in a time; None: all of its epochs."""
        options = self._long_options()
        most = self.epochs * math.ceil(len(self.data.examples) / options.batch_size)
        if seconds is None:
            return most
        data = self._taught()
        step_s = step_seconds(self._planned(module, data, seconds), self._workload(options), module, data, options)
        return min(most, int(seconds / step_s))

    def _taught(self) -> TrainingData:
        if not self.teaches:
            return self.data
        return replace(self.data, distillation=Distillation(self._teacher(), weight=TEACHERS_WEIGHT))

    def _teacher(self) -> nn.Module:
        device = self.data.examples.device
        content = self.quick() if device.type == "cpu" else None
        if content is not None:
            return Answering(content, self.ctx.plan.threads)
        return copy.deepcopy(self.teacher).to(device)

    @contextlib.contextmanager
    def _checkpoints(self, name: str) -> Iterator[CheckpointFolder]:
        """Where a training that was stopped goes on; gone once it is over."""
        folder = self.ctx.workdir / "search" / "training" / name.replace(" ", "_")
        yield CheckpointFolder(folder)
        shutil.rmtree(folder, ignore_errors=True)

    def _planned(self, module: nn.Module, data: TrainingData, seconds: float | None) -> ExecutionPlan:
        """The run's plan with the fastest numbers for this training, so that its length is known beforehand."""
        plan, options = self.ctx.plan, self._long_options()
        key = self._workload(options)
        if seconds is None or key in plan.choices:
            return plan
        if key not in self.choices:
            steps = int(seconds / step_seconds(plan, key, module, data, options))
            self.choices[key] = choose(plan, key, module, data, options, Aside(self.ctx, self.check), steps)
        return plan.model_copy(update={"choices": {**plan.choices, key: self.choices[key]}})

    def _workload(self, options: TrainingOptions) -> str:
        """That of the original: what was found best for it serves its pruned forms."""
        shape = self.data.examples.network_shape
        return workload_key(
            self.spec.architecture, self.spec.config, shape, options.batch_size, options.task, self.ctx.plan.device
        )

    def _options(self) -> TrainingOptions:
        kind = str(self.spec.input_kind)
        count = len(self.data.examples)
        size = LARGE_BATCH if count >= MANY else min(BATCH_SIZE, max(1, count // 4))
        return TrainingOptions(
            task=str(self.spec.task), epochs=self.epochs, batch_size=size, learning_rate=RATES.get(kind, RATE)
        )

    def _long_options(self) -> TrainingOptions:
        """Of a training after a cut."""
        options = self._options()
        is_normalised = any(isinstance(layer, nn.BatchNorm2d) for layer in self.teacher.modules())
        return replace(options, **LONG) if is_normalised and len(self.data.examples) >= MANY else options

    def _fitting(
        self, module: nn.Module, data: TrainingData, options: TrainingOptions, seconds: float | None,
        plan: ExecutionPlan,
    ) -> tuple[TrainingData, TrainingOptions]:  # fmt: skip
        """So many epochs as there is time for, of so many examples that the last one is whole."""
        if seconds is None:
            return data, options
        step_s = step_seconds(plan, self._workload(options), module, data, options)
        steps = max(SHORTEST_STEPS, int(seconds / step_s))
        whole = math.ceil(len(data.examples) / options.batch_size)
        epochs = min(options.epochs, math.ceil(steps / whole))
        share = steps // epochs
        if share >= whole:
            return data, replace(options, epochs=epochs)
        generator = torch.Generator().manual_seed(self.ctx.seed)
        rows = torch.randperm(len(data.examples), generator=generator)[: share * options.batch_size]
        rows = rows.to(data.examples.device)
        targets = None if data.targets is None else data.targets[rows]
        return replace(data, examples=data.examples.part(rows), targets=targets), replace(options, epochs=epochs)


def _identity(name: str, data: TrainingData, options: TrainingOptions) -> dict[str, Any]:
    return {"name": name, "epochs": options.epochs, "examples": len(data.examples)}


class Answering(nn.Module):
    """A teacher in ONNX Runtime: in whole numbers it answers sooner, which leaves the student more of the time."""

    def __init__(self, content: bytes, threads: int) -> None:
        super().__init__()
        self._session = Session(content, threads, waits=False)  # the student trains on the same cores

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of a batch; there is no way back through them."""
        return torch.from_numpy(self._session.run(x.detach().contiguous().numpy()))


class Aside:
    """A run's context for a training within a block: curves and progress stay aside, the rest is the run's."""

    def __init__(self, ctx: RunContext, check: Callable[[], None]) -> None:
        self._ctx, self._check = ctx, check

    @property
    def seed(self) -> int:
        """As the run's."""
        return self._ctx.seed

    @property
    def plan(self) -> ExecutionPlan:
        """As the run's."""
        return self._ctx.plan

    @property
    def block_id(self) -> str:
        """As the run's."""
        return self._ctx.block_id

    @property
    def document(self) -> dict[str, Any]:
        """As the run's."""
        return self._ctx.document

    @property
    def store(self) -> ArtifactStore:
        """As the run's."""
        return self._ctx.store

    @property
    def workdir(self) -> Path:
        """As the run's."""
        return self._ctx.workdir

    def metric(self, name: str, value: float, step: int) -> None:
        """Kept aside: each training counts its steps from 0."""

    def progress(self, done: float, total: float, unit: str = "steps", eta_s: float | None = None) -> None:
        """Kept aside: the search says how far it is."""

    def log(self, template: str, level: LogLevel = "info", **values: Any) -> None:
        """As the run's."""
        self._ctx.log(template, level, **values)

    def warn(self, template: str, **values: Any) -> None:
        """As the run's."""
        self._ctx.warn(template, **values)

    def decide(
        self, kind: str, step: int, template: str, evidence: Mapping[str, Any] | None = None, **values: Any
    ) -> None:
        """What a probe found is the run's; other decisions belong to a training that nobody follows."""
        if kind == "probe":
            self._ctx.decide(kind, step, template, evidence, **values)

    def checkpoint_saved(self, step: int) -> None:
        """As the run's."""
        self._ctx.checkpoint_saved(step)

    def check_cancelled(self) -> None:
        """As the run's, and stops when the time of the search is over."""
        self._check()

    def resource(self, name: str) -> Path:
        """As the run's."""
        return self._ctx.resource(name)

    def local_path(self, text: str) -> Path:
        """As the run's."""
        return self._ctx.local_path(text)
