"""From a model and data sets to a trained model: what the training blocks share.

Called by ``train.classifier`` and ``train.regressor``. It fills what the model could not know before its data, starts
the loop of :mod:`engine.learn.loop` under the run's plan, and writes the result.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts import DatasetRef, MetricsRef, ModelRef, canonical_json
from engine.compute.plan import applied, for_block
from engine.errors import UserError
from engine.learn.augment import make_augmentation
from engine.learn.checkpoint import CheckpointFolder
from engine.learn.figures import history_figure
from engine.learn.loop import train
from engine.learn.options import TrainingOptions
from engine.learn.state import TrainingData, TrainingResult
from engine.models import build, complete
from engine.runtime.examples import DataSpec, describe, labels_of, load, values_of
from engine.runtime.models import WEIGHTS, load_weights, read_spec, read_weights, save_model
from engine.runtime.modelspec import ModelSpec, Target
from engine.runtime.provenance import provenance
from engine.spec import ExecutionPlan, RunContext


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
    wanted = describe(dataset)
    given = read_spec(model)
    spec = _filled(given, wanted, dataset, options)
    with applied(plan, ctx.seed) as place:
        module = _module(model, given, spec).to(place)
        data = TrainingData(load(dataset, spec, place), _targets(dataset, spec, place), _augmentation(wanted))
        checked = None if validation is None else _validation(validation, spec, place)
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
    return Fitted(save_model(ctx.store, spec, module.state_dict()), _history(ctx, result))


def _filled(given: ModelSpec, wanted: DataSpec, dataset: DatasetRef, options: TrainingOptions) -> ModelSpec:
    """The model's description with all that the data decides."""
    kind = wanted.input["kind"]
    # Weights that were trained on other numbers keep the preprocessing they were trained with.
    keeps = bool(given.preprocessing) and (given.input is None or given.input["kind"] == kind)
    shared: dict[str, Any] = {
        "task": options.task,
        "input": given.input if keeps and given.input and kind == "table" else wanted.input,
        "preprocessing": given.preprocessing if keeps else wanted.preprocessing,
    }
    if options.task == "classification":
        if not wanted.classes:
            raise UserError(
                "The data set has no classes to learn",
                field="dataset",
                hint="Choose a target with classes, or use the block Train a regressor.",
            )
        same = given.labels is not None and set(given.labels) == set(wanted.classes)
        labels = given.labels if same else wanted.classes
        config = complete(given.architecture, given.config, kind, wanted.shape, len(wanted.classes))
        return given.model_copy(update={**shared, "config": config, "labels": labels, "target": None})
    numbers = values_of(dataset, str(wanted.target))
    deviation = float(numbers.double().std(unbiased=False))
    target = given.target or Target(
        name=str(wanted.target), mean=float(numbers.double().mean()), std=deviation if deviation > 0 else 1.0
    )
    config = complete(given.architecture, given.config, kind, wanted.shape, 1)
    return given.model_copy(update={**shared, "config": config, "labels": None, "target": target})


def _module(model: ModelRef, given: ModelSpec, spec: ModelSpec) -> nn.Module:
    module = build(spec.architecture, spec.config)
    if WEIGHTS in model.files:
        load_weights(module, read_weights(model), given.architecture, fresh_head=True)
    return module


def _targets(dataset: DatasetRef, spec: ModelSpec, device: torch.device) -> Tensor:
    if spec.task == "classification":
        return labels_of(dataset, spec.labels or []).to(device)
    assert spec.target is not None
    return ((values_of(dataset, spec.target.name) - spec.target.mean) / spec.target.std).to(device)


def _validation(validation: DatasetRef, spec: ModelSpec, device: torch.device) -> TrainingData:
    describe(validation)  # refuses an empty one
    return TrainingData(load(validation, spec, device).as_floats(), _targets(validation, spec, device))


def _augmentation(wanted: DataSpec) -> Any:
    return make_augmentation(wanted.augmentation) if wanted.input["kind"] == "images" else None


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
    return {**chosen, **inputs, **plan.model_dump(), "seed": seed}


def _history(ctx: RunContext, result: TrainingResult) -> MetricsRef:
    files = {
        "metrics.json": canonical_json(result.metrics),
        "history.json": canonical_json(result.history),
        "preview.json": canonical_json({"kind": "figure", "figure": history_figure(result.history)}),
    }
    return ctx.store.put(MetricsRef, files=files)
