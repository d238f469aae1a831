"""Distil: let a small model learn what a large one knows.

Runs in the palette's drawer "compress"; the loss is :mod:`engine.learn.distil`, the loop that of every training.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, canonical_json
from engine.compress.student import compared, reading_like
from engine.compute.plan import applied
from engine.learn.distil import DistilOptions
from engine.learn.fit import fit
from engine.learn.params import TrainingParams
from engine.runtime.models import read_spec
from engine.spec import Measured, RunContext, block, param

_TEACHER = "Teacher"


class Params(TrainingParams):
    """How the student is trained, and how strongly it follows its teacher."""

    temperature: float = param(
        4.0,
        gt=0,
        le=100,
        help="What the scores of both are divided by before they are compared: above 1, what the teacher holds for "
        "unlikely counts more",
        title="Temperature",
    )
    weight: float = param(
        0.9,
        ge=0,
        le=1,
        help="Share of the loss that comes from the teacher's answers; the rest is that of the true ones",
        title="Weight of the teacher",
    )
    start: Literal["own", "teacher"] = param(
        "own",
        help="Start from the student's own weights, or from the teacher's layers that have the same shape, taken at "
        "even distances",
        title="Start",
    )
    reads: Literal["teacher", "seen", "data"] = param(
        "teacher",
        help="What an untrained student reads: what the teacher does (its normalisation, its tokens); of its tokens "
        "only those that occur in the data; or what the data says",
        title="Reads",
    )
    hidden: float = param(
        0.0,
        ge=0,
        le=1000,
        help="Strength of the difference between what the layers of both put out, at the same depths; 0: not compared",
        title="Hidden layers",
        advanced=True,
        group=_TEACHER,
    )
    attention: float = param(
        0.0,
        ge=0,
        le=1000,
        help="Strength of the difference between what both look at: which tokens they relate, or where in an image "
        "their layers are strong; 0: not compared",
        title="Attention",
        advanced=True,
        group=_TEACHER,
    )

    @property
    def strengths(self) -> DistilOptions:
        """The same, as the training loop takes it."""
        return DistilOptions(self.temperature, self.weight, self.hidden, self.attention, self.start)


class Outputs(NamedTuple):
    """What the block makes."""

    model: ModelRef
    history: MetricsRef
    report: Measured[MetricsRef]


@block(
    "compress.distil",
    title="Distil",
    needs="gpu",
    examples=[
        {"epochs": 2, "batch_size": 8},
        {"epochs": 1, "batch_size": 8, "weight": 0.5, "hidden": 1.0, "start": "teacher"},
    ],
)
def run(
    params: Params,
    *,
    teacher: ModelRef,
    student: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    ctx: RunContext,
) -> Outputs:
    """Train a student on the answers of a teacher beside the true ones, and on its layers and attention if wanted.

    Parameters
    ----------
    params
        How the student is trained, as for every training, and how strongly it follows the teacher.
    teacher
        A trained model.
    student
        A smaller one: untrained, or trained or pruned to go on from its weights.
    dataset
        What to learn from; its classes are those of the teacher.
    validation
        Measured after each epoch, and in the end by both models.
    ctx
        The run. Metrics: as for the training of the same task; ``loss`` has the teacher's part in it.

    Returns
    -------
    Outputs
        The trained student; its last numbers with those of each epoch; and, measured on this machine, sizes, work,
        latency of one example and agreement of both, with how well each answers the validation data.

    Raises
    ------
    UserError
        When the teacher is not trained, learned another task, or tells other classes apart; or nothing in the two
        networks can be compared.

    Notes
    -----
    Sources: G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015; hidden layers and
    attention: see :mod:`engine.learn.distil.losses`; the start: V. Sanh et al., "DistilBERT", 2019.

    Examples
    --------
    >>> Params(temperature=2.0).strengths.temperature
    2.0
    """
    learner = student
    if params.reads != "data":
        learner = reading_like(student, teacher, ctx.store, dataset if params.reads == "seen" else None)
    options = params.options(task=read_spec(teacher).task or "classification", distil=params.strengths)
    fitted = fit(learner, dataset, validation, options, ctx, params.wishes, params.left_open, teacher)
    with applied(ctx.plan.model_copy(update={"device": "cpu"}), ctx.seed):
        report = compared(
            teacher, fitted.model, validation or dataset, held_out=validation is not None, check=ctx.check_cancelled
        )
    files = {
        "metrics.json": canonical_json(report),
        "preview.json": canonical_json({"kind": "metrics", "values": report}),
    }
    return Outputs(fitted.model, fitted.history, ctx.store.put(MetricsRef, files=files))
