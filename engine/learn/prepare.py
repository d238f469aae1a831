"""A model and a data set made ready for each other: what the data decides is filled in, both lie on the device.

Called by :mod:`engine.learn.here`, transfer and the learning-rate finder. Must not know how training goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from engine.artifacts import DatasetRef, ModelRef
from engine.learn.data.augment import make_augmentation
from engine.learn.state import TrainingData
from engine.learn.tasks import Task, find_task
from engine.models import build
from engine.runtime.examples import DataSpec, describe, load
from engine.runtime.images import network_shape, with_fit_of
from engine.runtime.models import WEIGHTS, load_weights, read_spec, read_weights
from engine.runtime.modelspec import ModelSpec
from engine.runtime.texts import tokenizer_of
from engine.text import TextTokenizer
from engine.text.tokenizer import facts


@dataclass(frozen=True)
class Prepared:
    """A model that knows its data, and the data as it takes them."""

    spec: ModelSpec
    task: Task
    tokenizer: TextTokenizer | None
    module: nn.Module
    data: TrainingData

    def other(self, ref: DatasetRef, device: torch.device) -> TrainingData:
        """Another data set for the same model, not to learn from."""
        return _data(ref, self.spec, self.task, device, self.tokenizer)


def prepare(model: ModelRef, dataset: DatasetRef, task_name: str, device: torch.device) -> Prepared:
    """Fill in what a model could not know before its data, and load both onto a device.

    Raises
    ------
    UserError
        When model, data and task do not fit together.
    """
    task = find_task(task_name)
    given, tokenizer = read_spec(model), tokenizer_of(model)
    spec = _filled(given, _wanted(dataset, task, given, tokenizer), dataset, task)
    module = _module(model, given, spec).to(device)
    return Prepared(spec, task, tokenizer, module, _data(dataset, spec, task, device, tokenizer, training=True))


def _wanted(dataset: DatasetRef, task: Task, given: ModelSpec, tokenizer: TextTokenizer | None) -> DataSpec:
    longest = given.config.get("max_length")
    return describe(dataset, needs_target=task.needs_target, tokenizer=tokenizer, longest=longest)


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
    if kind == "images" and keeps:
        shared["preprocessing"] = with_fit_of(given.preprocessing, wanted.preprocessing)
        wanted = replace(wanted, shape=network_shape(given.preprocessing, wanted.shape))
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
        task.derive(_meta(ref, tokenizer), training=training),
    )


def held(
    ref: DatasetRef, spec: ModelSpec, task: Task, device: torch.device, tokenizer: TextTokenizer | None
) -> TrainingData:
    """A data set that a trained model is asked about, with its targets."""
    return _data(ref, spec, task, device, tokenizer)


def _meta(ref: DatasetRef, tokenizer: TextTokenizer | None) -> dict[str, Any]:
    """What a data set says of itself; of texts that a model cut anew, with the facts of the model's tokenizer."""
    return {**ref.meta, **(facts(tokenizer) if tokenizer is not None else {})}
