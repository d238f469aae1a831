"""Another model out of a model: what quantising, pruning, distilling and searching have in common.

Called by those verbs. Each says which block does the work; here it is run on top of the model's own pipeline, and what
comes out is a model that remembers how it was made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepseek import blocks, local, pipeline
from deepseek.dataset import Dataset
from deepseek.errors import UsageError
from deepseek.model import Model, sink
from deepseek.progress import Sink
from deepseek.results import Numbers


@dataclass(frozen=True)
class Made:
    """A block that ran on a model.

    Attributes
    ----------
    outputs
        Port -> artifact.
    metrics
        Its numbers, without the block's id.
    curves
        What it told while it ran.
    """

    step: pipeline.Step
    outputs: Mapping[str, Any]
    metrics: Mapping[str, float]
    curves: blocks.Curves
    seconds: float
    seed: int
    plan: Mapping[str, Any]

    def model(self, name: str) -> Model:
        """The new model."""
        new = Model(self.step.out("model"), name)
        new._seed, new._plan, new._artifact = self.seed, dict(self.plan), self.outputs["model"]
        return new

    def report(self) -> Numbers:
        """What was measured, and how long all of it took."""
        return Numbers({**self.metrics, "seconds": self.seconds})


def make(
    step: pipeline.Step,
    model: Model,
    title: str,
    show: bool | Sink,
    *,
    seed: int | None = None,
    plan: Mapping[str, Any] | None = None,
) -> Made:
    """Run one block on top of a model's pipeline.

    Parameters
    ----------
    title
        Of the pipeline.
    show
        False shows nothing; a function is told every event of the run.
    seed, plan
        Of the run; by default the model's own.
    """
    seed = model._seed if seed is None else seed
    plan = model._plan if plan is None else plan
    document, ids = pipeline.document([step], name=title, seed=seed)
    curves = blocks.Curves(ids[step], sink(show))
    started = time.monotonic()
    result = local.checked(local.execute(document, plan=plan, show=curves))
    return Made(
        step,
        result.outputs[ids[step]],
        blocks.metrics_of(result, ids[step]),
        curves,
        time.monotonic() - started,
        seed,
        dict(result.plan or plan),
    )


def learned_from(model: Model, dataset: Dataset | None, call: str) -> pipeline.Output:
    """The examples to work with: those that are given, or what the model was trained on.

    Parameters
    ----------
    call
        How a person gives examples, for the hint.

    Raises
    ------
    UsageError
        When neither is known.
    """
    examples = dataset.train._output if dataset else dict(model._output.step.inputs).get("dataset")
    if examples is None:
        raise UsageError(
            "It is not known what the model was trained on", hint=f"Give examples like those in use: {call}."
        )
    return examples
