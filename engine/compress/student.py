"""A student beside its teacher: what it reads, and what it costs and gained.

Called by the block that distils. Both models may take their inputs in different forms, so each is asked in its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.artifacts import ArtifactStore, DatasetRef, ModelRef, TextRef
from engine.compress.macs import count
from engine.datasets import open_texts
from engine.datasets.texts import TOKENIZER
from engine.learn.measure.validation import validate
from engine.learn.state import TrainingData
from engine.learn.tasks import Task, find_task
from engine.runtime.examples import load
from engine.runtime.measure import compare
from engine.runtime.models import WEIGHTS, open_model, read_spec, save_model
from engine.runtime.texts import tokenizer_of
from engine.text.tokenizer import TextTokenizer, facts
from engine.text.trim import trimmed

TIMING_S = 1.5
COMPARED = 256
ANSWERS = ("classification", "language_model", "masked_lm")
"""Tasks whose outputs name one of several things."""
CPU = torch.device("cpu")


def reading_like(
    student: ModelRef, teacher: ModelRef, store: ArtifactStore, seen: DatasetRef | None = None
) -> ModelRef:
    """An untrained student that takes images or texts as its teacher does: its preprocessing, its tokenizer.

    A student that says already what it takes is given back as it is; so is one for tables, whose columns decide.

    Parameters
    ----------
    seen
        Texts: the student gets only those of the teacher's tokens that occur in them.

    Raises
    ------
    UserError
        When the teacher's tokenizer cannot be cut down.
    """
    ours, theirs = read_spec(student), read_spec(teacher)
    if ours.preprocessing or WEIGHTS in student.files or TOKENIZER in student.files:
        return student
    if theirs.input_kind == "tokens" and TOKENIZER in teacher.files:
        content = teacher.read_bytes(TOKENIZER)
        if isinstance(seen, TextRef):
            content = trimmed(TextTokenizer(content), open_texts(seen).texts(slice(None))).content
        return save_model(store, ours, files={TOKENIZER: content})
    if theirs.input_kind == "images":
        return save_model(store, ours.model_copy(update={"preprocessing": theirs.preprocessing}))
    return student


@dataclass(frozen=True)
class Side:
    """One of the two models, on the CPU, with the examples as it takes them."""

    module: nn.Module
    data: TrainingData
    task: Task
    size: int

    @classmethod
    def of(cls, ref: ModelRef, dataset: DatasetRef) -> Side:
        """Open a trained model and load examples for it."""
        opened = open_model(ref)
        task = find_task(opened.spec.task)
        tokenizer = tokenizer_of(ref)
        meta = {**dataset.meta, **(facts(tokenizer) if tokenizer is not None else {})}
        data = TrainingData(
            load(dataset, opened.spec, CPU, tokenizer),
            task.targets(dataset, opened.spec),
            derive=task.derive(meta, training=False),
        )
        kinds = [WEIGHTS] if WEIGHTS in ref.files else [variant.file for variant in opened.spec.variants.values()]
        return cls(opened.module.eval(), data, task, sum(int(ref.files[name]["size"]) for name in kinds))

    def inputs(self, rows: Tensor) -> Tensor:
        """Some examples as the network takes them."""
        return self.data.examples.batch(rows)


def compared(
    teacher: ModelRef,
    student: ModelRef,
    dataset: DatasetRef,
    *,
    held_out: bool,
    check: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """The report of a student.

    Parameters
    ----------
    dataset
        To ask both on.
    held_out
        True: nobody learned from these examples, so how well both answer is measured too.

    Returns
    -------
    dict
        ``size_before_bytes``, ``size_after_bytes`` (on disk: of the teacher, of the student), ``shrunk``; ``params_*``
        and ``macs_*``; ``before_ms``, ``after_ms``, ``speed_up``: median latency of one example in PyTorch;
        ``agreement``: share of equal answers; and, of examples that were held out, each metric of the task as
        ``..._before`` and ``..._after``, and ``drop`` of the accuracy.
    """
    before, after = Side.of(teacher, dataset), Side.of(student, dataset)
    rows = torch.arange(min(COMPARED, len(before.data.examples)))
    work = [count(side.module, side.inputs(rows[:1])) for side in (before, after)]
    times = compare({"before": _call(before), "after": _call(after)}, TIMING_S, check)
    report = {
        "size_before_bytes": float(before.size),
        "size_after_bytes": float(after.size),
        "shrunk": 1 - after.size / before.size,
        "params_before": float(work[0].params),
        "params_after": float(work[1].params),
        "macs_before": float(work[0].macs),
        "macs_after": float(work[1].macs),
        "before_ms": times["before"].p50_ms,
        "after_ms": times["after"].p50_ms,
        "speed_up": times["before"].p50_ms / times["after"].p50_ms,
    }
    if before.task.name in ANSWERS:
        report["agreement"] = _agreement(before, after, rows, check)
    if held_out:
        for when, side in (("before", before), ("after", after)):
            found = validate(side.module, side.data, side.task, check)
            report |= {f"{name.removeprefix('validation_')}_{when}": value for name, value in found.items()}
        if "accuracy_before" in report:
            report["drop"] = report["accuracy_before"] - report["accuracy_after"]
    return report


def _agreement(before: Side, after: Side, rows: Tensor, check: Callable[[], None]) -> float:
    """Share of examples, or tokens, that both answer alike; classes may stand in another order."""
    same, asked = 0, 0
    for part in torch.split(rows, before.data.examples.batch_size):
        check()
        with torch.inference_mode():
            said = [side.module(side.inputs(part)).argmax(-1) for side in (before, after)]
        same += int((said[0] == said[1]).sum())
        asked += said[0].numel()
    return same / max(1, asked)


def _call(side: Side) -> Callable[[], object]:
    one = side.inputs(torch.zeros(1, dtype=torch.int64))

    @torch.inference_mode()
    def call() -> object:
        return side.module(one)

    return call
