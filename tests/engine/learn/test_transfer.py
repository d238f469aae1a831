"""Learning from few examples with a network that has learned already."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.blocks.train import finetune, transfer
from engine.datasets import write_images
from engine.errors import CancelledRun, UserError
from engine.learn.fit import fit
from engine.learn.options import TrainingOptions
from engine.runtime.models import read_spec, read_weights, save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.predictor import Predictor
from tests.engine.contexts import Recorder


def bars(store, count, classes, seed):
    """Grey images with a bright column, whose place is the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    pixels = generator.integers(0, 90, (count, 1, 8, 8), dtype=np.uint8)
    pixels[np.arange(count), 0, :, labels] = 200
    return write_images(store, pixels, labels, [f"column {n}" for n in range(classes)], name="bars")


@pytest.fixture
def ctx(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def teacher(ctx):
    """A network that tells eight columns apart; its last layer is forgotten."""
    untrained = save_model(ctx.store, ModelSpec(architecture="mlp", config={"hidden": [32]}))
    made = fit(untrained, bars(ctx.store, 400, 8, 0), None, TrainingOptions(epochs=12, learning_rate=0.01), ctx)
    spec = read_spec(made.model)
    body = {name: tensor for name, tensor in read_weights(made.model).items() if not name.startswith("head.")}
    config = {**spec.config, "num_classes": None}
    return save_model(ctx.store, spec.model_copy(update={"config": config, "labels": None}), body)


def test_three_new_classes_are_learned_from_five_examples_each(ctx, teacher):
    few, many = bars(ctx.store, 15, 3, 1), bars(ctx.store, 90, 3, 2)
    out = transfer.run(transfer.Params(), model=teacher, dataset=few, validation=many, ctx=ctx)
    assert out.history.read_json("metrics.json")["validation_accuracy"] >= 0.95
    answers = Predictor.open(out.model).predict(many)
    labels = torch.arange(90) % 3
    assert (answers.outputs.argmax(1) == labels).float().mean() >= 0.95, "the layer was folded back wrongly"
    assert answers.labels == ["column 0", "column 1", "column 2"]


def test_the_rest_of_the_network_stays_as_it_is(ctx, teacher):
    out = transfer.run(
        transfer.Params(epochs=2), model=teacher, dataset=bars(ctx.store, 15, 3, 1), validation=None, ctx=ctx
    )
    before, after = read_weights(teacher), read_weights(out.model)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_fine_tuning_trains_the_last_layer_and_then_everything(ctx, teacher):
    few = bars(ctx.store, 15, 3, 1)
    params = finetune.Params(epochs=4, head_epochs=20, learning_rate=0.003)
    out = finetune.run(params, model=teacher, dataset=few, validation=bars(ctx.store, 90, 3, 2), ctx=ctx)
    assert out.history.read_json("metrics.json")["validation_accuracy"] >= 0.95
    before, after = read_weights(teacher), read_weights(out.model)
    assert not torch.equal(after["layers.0.weight"], before["layers.0.weight"])
    assert len(ctx.series("head_train_loss")) >= 20
    assert len(ctx.series("train_loss")) >= 4


def test_a_model_without_weights_or_features_is_refused_in_words(ctx):
    few = bars(ctx.store, 15, 3, 1)
    untrained = save_model(ctx.store, ModelSpec(architecture="mlp", config={"hidden": [8]}))
    with pytest.raises(UserError, match="no weights to take features from") as caught:
        transfer.run(transfer.Params(), model=untrained, dataset=few, validation=None, ctx=ctx)
    assert "public" in (caught.value.hint or "")


def test_a_cancelled_computation_of_features_stops_at_the_next_batch(ctx, teacher):
    def stop(recorder):
        raise CancelledRun

    ctx._stop = stop
    with pytest.raises(CancelledRun):
        transfer.run(transfer.Params(), model=teacher, dataset=bars(ctx.store, 15, 3, 1), validation=None, ctx=ctx)
