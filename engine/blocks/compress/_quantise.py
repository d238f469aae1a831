"""What the blocks that quantise share: the model and its examples, and what is given back.

Called by the blocks of this folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, FigureRef, MetricsRef, ModelRef, canonical_json
from engine.compress.pack import Packed, pack, preview
from engine.compress.sensitivity import figure, sensitivity
from engine.compute.plan import applied
from engine.datasets import class_labels
from engine.datasets.texts import TOKENIZER
from engine.errors import UserError
from engine.runtime.examples import load
from engine.runtime.models import WEIGHTS, OpenModel, open_model
from engine.runtime.provenance import provenance
from engine.runtime.targets import labels_of
from engine.runtime.texts import tokenizer_of
from engine.spec import RunContext
from engine.spec.figures import put_figure

BATCH = 64
CHECKED = 256
OUTPUTS_AT_ONCE = 2**24
NAMED = 8


@dataclass(frozen=True)
class Bench:
    """A model to quantise, and examples.

    Attributes
    ----------
    batches
        To quantise by.
    held
        To check and to measure with: others where there are enough.
    labels
        Their true classes, where they are known.
    """

    ref: ModelRef
    opened: OpenModel
    batches: list[Tensor]
    held: Tensor
    labels: Tensor | None

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.opened.module


@contextlib.contextmanager
def bench(model: ModelRef, dataset: DatasetRef, examples: int, ctx: RunContext) -> Iterator[Bench]:
    """Open a model and draw examples, on the CPU and under the run's plan.

    Raises
    ------
    UserError
        When the model has no weights, or the examples are of another kind.
    """
    if WEIGHTS not in model.files:
        raise UserError(
            "The model has no weights that could be quantised", field="model", hint="Connect a model trained here."
        )
    opened = open_model(model)
    with applied(ctx.plan.model_copy(update={"device": "cpu"}), ctx.seed):
        found = load(dataset, opened.spec, torch.device("cpu"), tokenizer_of(model))
        rows = torch.randperm(len(found))
        used, others = rows[:examples], rows[examples:]
        held = (others if len(others) >= BATCH else rows)[: _at_once(opened)]
        labels = _labels(dataset, opened)
        yield Bench(
            model,
            opened,
            [found.batch(part) for part in torch.split(used, BATCH)],
            found.batch(held),
            None if labels is None else labels[held],
        )


def _at_once(opened: OpenModel) -> int:
    """Examples to check with: fewer where every token has an answer as wide as the vocabulary."""
    told = opened.spec.input or {}
    if opened.spec.task in ("language_model", "masked_lm"):
        answers = int(told["length"]) * int(told["vocab_size"])
        return max(2, min(CHECKED, OUTPUTS_AT_ONCE // answers))
    return CHECKED


def _labels(dataset: DatasetRef, opened: OpenModel) -> Tensor | None:
    spec = opened.spec
    known = dataset.meta.get("classes")
    if spec.task != "classification" or not spec.labels or not known or not set(known) <= set(spec.labels):
        return None
    return None if class_labels(dataset) is None else labels_of(dataset, spec.labels)


def packed(found: Bench, compressed: nn.Module, variant: str, ctx: RunContext) -> Packed:
    """Write, check and measure a compressed network."""
    spec = found.opened.spec.model_copy(
        update={"provenance": {**provenance(ctx, ctx.plan), "original": found.ref.digest}}
    )
    files = {TOKENIZER: found.ref.path(TOKENIZER)} if TOKENIZER in found.ref.files else {}
    return pack(
        ctx.store,
        spec,
        found.module,
        compressed,
        found.held,
        variant=variant,
        threads=ctx.plan.threads,
        labels=found.labels,
        files=files,
        check=ctx.check_cancelled,
    )


def faster(made: Packed, original: ModelRef, method: str, ctx: RunContext) -> ModelRef:
    """The compressed model, or the original where that is faster on this machine."""
    if not made.is_slower:
        return made.model
    ctx.warn(
        "{method} is slower than fp32 on this machine: {after} ms instead of {before} ms for one example. "
        "The original model is given back",
        method=method,
        after=round(made.report["after_ms"], 2),
        before=round(made.report["before_ms"], 2),
    )
    return original


def put_report(made: Packed, given: ModelRef, ctx: RunContext, more: Mapping[str, float] | None = None) -> MetricsRef:
    """Keep what was measured; ``kept_original`` is 1 where the compressed model was slower and was not taken."""
    report = {**made.report, **(more or {}), "kept_original": float(given.digest != made.model.digest)}
    files = {"metrics.json": canonical_json(report), "preview.json": canonical_json(preview(report))}
    return ctx.store.put(MetricsRef, files=files)


def put_sensitivity(found: Bench, chosen: Mapping[str, int], ctx: RunContext) -> FigureRef:
    """Measure each layer alone and draw it."""
    rows = sensitivity(found.module, found.batches, check=ctx.check_cancelled)
    return put_figure(ctx, figure(rows, chosen))


def tell_kept(kept: Sequence[str], ctx: RunContext) -> None:
    """Name the layers that stay in floats."""
    if kept:
        more = len(kept) - NAMED
        ctx.log(
            "{count} layers stay in floats: {layers}",
            count=len(kept),
            layers=", ".join(kept[:NAMED]) + (f", +{more}" if more > 0 else ""),
        )
