"""From a model and data sets to a trained model: what the training blocks share.

Called by ``train.classifier`` and ``train.regressor``. It fills what the model could not know before its data, starts
the loop of :mod:`engine.learn.loop` under the run's plan, and writes the result.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, TextRef, canonical_json
from engine.compute.plan import applied, for_block
from engine.datasets import open_texts
from engine.datasets.texts import TOKENIZER
from engine.errors import UserError
from engine.learn.augment import make_augmentation
from engine.learn.checkpoint import CheckpointFolder
from engine.learn.figures import history_figure
from engine.learn.loop import train
from engine.learn.options import TrainingOptions
from engine.learn.state import TrainingData, TrainingResult
from engine.learn.tasks import Task, find_task
from engine.models import build
from engine.runtime.examples import DataSpec, describe, load
from engine.runtime.models import WEIGHTS, load_weights, read_spec, read_weights, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.provenance import provenance
from engine.runtime.texts import tokenizer_of
from engine.spec import ExecutionPlan, RunContext
from engine.text import TextTokenizer


@dataclass(frozen=True)
class Fitted:
    """A trained model and how its training went."""

    model: ModelRef
    history: MetricsRef


def fit(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    ctx: RunContext,
    device: str = "auto",
) -> Fitted:
    """Train a model on a data set.

    Parameters
    ----------
    model
        Untrained; or trained, to go on from its weights.
    validation
        Measured after each epoch; needed for early stopping.
    device
        ``"auto"``, or a type that overrules the run's plan for this block.

    Raises
    ------
    UserError
        When model, data and options do not fit together, or the training fails in a known way.
    """
    if options.patience and validation is None:
        raise UserError(
            "Early stopping needs a validation data set",
            field="patience",
            hint="Connect one to the input validation, or set the patience to 0.",
        )
    plan = for_block(ctx.plan, device)
    task = find_task(options.task)
    given, tokenizer = read_spec(model), tokenizer_of(model)
    wanted = _wanted(dataset, task, given, tokenizer)
    spec = _filled(given, wanted, dataset, task)
    with applied(plan, ctx.seed) as place:
        module = _module(model, given, spec).to(place)
        data = _data(dataset, spec, task, place, tokenizer, training=True)
        checked = None if validation is None else _data(validation, spec, task, place, tokenizer).prepared()
        ctx.log(
            "Training {architecture} with {parameters} parameters on {count} examples, device {device}",
            architecture=spec.architecture,
            parameters=sum(p.numel() for p in module.parameters()),
            count=wanted.count,
            device=plan.device,
        )
        result = train(
            module,
            data,
            options,
            ctx,
            validation=checked,
            seed=ctx.seed,
            checkpoints=CheckpointFolder(ctx.workdir / "checkpoints", options.checkpoint_steps),
            identity=_identity(model, dataset, validation, options, plan, ctx.seed),
        )
    numbers: dict[str, float | str] = {**result.metrics, "data_digest": dataset.digest}
    spec = spec.model_copy(update={"metrics": numbers, "provenance": provenance(ctx, plan)})
    files = _tokenizer_file(dataset, tokenizer)
    return Fitted(save_model(ctx.store, spec, module.state_dict(), files=files), _history(ctx, result))


def _wanted(dataset: DatasetRef, task: Task, given: ModelSpec, tokenizer: TextTokenizer | None) -> DataSpec:
    longest = given.config.get("max_length")
    return describe(dataset, needs_target=task.needs_target, tokenizer=tokenizer, longest=longest)


def _tokenizer_file(dataset: DatasetRef, tokenizer: TextTokenizer | None) -> dict[str, bytes]:
    """The tokenizer that goes with the model: its own, or that of the texts it learned from."""
    if not isinstance(dataset, TextRef):
        return {}
    return {TOKENIZER: tokenizer.content if tokenizer is not None else open_texts(dataset).tokenizer.content}


def _filled(given: ModelSpec, wanted: DataSpec, dataset: DatasetRef, task: Task) -> ModelSpec:
    """The model's description with all that the data decides."""
    kind = wanted.input["kind"]
    # Weights that were trained on other numbers keep the preprocessing they were trained with.
    # (Of texts, what is wanted was made with the model's own tokenizer already.)
    keeps = bool(given.preprocessing) and kind != "tokens" and (given.input is None or given.input["kind"] == kind)
    shared: dict[str, Any] = {
        "task": task.name,
        "input": given.input if keeps and given.input and kind == "table" else wanted.input,
        "preprocessing": given.preprocessing if keeps else wanted.preprocessing,
    }
    return given.model_copy(update={**shared, **task.completed(given, wanted, dataset)})


def _module(model: ModelRef, given: ModelSpec, spec: ModelSpec) -> nn.Module:
    module = build(spec.architecture, spec.config)
    if WEIGHTS in model.files:
        load_weights(module, read_weights(model), given.architecture, fresh_head=True)
    return module


def _data(
    ref: DatasetRef,
    spec: ModelSpec,
    task: Task,
    device: torch.device,
    tokenizer: TextTokenizer | None,
    *,
    training: bool = False,
) -> TrainingData:
    wanted = describe(ref, needs_target=task.needs_target)  # refuses an empty one
    targets = task.targets(ref, spec)
    augments = training and wanted.input["kind"] == "images"
    return TrainingData(
        load(ref, spec, device, tokenizer),
        None if targets is None else targets.to(device),
        make_augmentation(wanted.augmentation) if augments else None,
        task.derive(ref, training=training),
    )


def _identity(
    model: ModelRef,
    dataset: DatasetRef,
    validation: DatasetRef | None,
    options: TrainingOptions,
    plan: ExecutionPlan,
    seed: int,
) -> dict[str, Any]:
    """What a checkpoint must agree in. How often checkpoints are written is not part of it."""
    chosen = {key: value for key, value in asdict(options).items() if key != "checkpoint_steps"}
    inputs = {"model": model.digest, "dataset": dataset.digest, "validation": validation.digest if validation else None}
    return {**chosen, **inputs, **plan.model_dump(exclude={"choices"}), "seed": seed}


def _history(ctx: RunContext, result: TrainingResult) -> MetricsRef:
    files = {
        "metrics.json": canonical_json(result.metrics),
        "history.json": canonical_json(result.history),
        "preview.json": canonical_json({"kind": "figure", "figure": history_figure(result.history)}),
    }
    return ctx.store.put(MetricsRef, files=files)
