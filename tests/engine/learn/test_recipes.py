"""Recipes and parameters: what nobody chose is set, what somebody chose stays."""

import dataclasses

from torch import nn

from engine.blocks.train import classifier, regressor
from engine.learn.options import TrainingOptions
from engine.learn.params import TrainingParams
from engine.learn.recipes import resolved
from engine.models import build

CONVOLUTIONS = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
ROWS = nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8))


def fast(module, count=50_000, **chosen):
    params = classifier.Params(recipe="fast", **chosen)
    return resolved(params.options(task="classification"), module, count, params.left_open)


def test_what_somebody_chose_is_kept():
    taken = fast(CONVOLUTIONS, learning_rate=0.7, averaging="ema", label_smoothing=0.0, epochs=7)
    assert (taken.learning_rate, taken.averaging, taken.epochs) == (0.7, "ema", 7)
    assert taken.optimizer == "sgd"


def test_convolutions_get_sgd_and_the_rest_adamw():
    assert fast(CONVOLUTIONS).optimizer == "sgd"
    assert fast(CONVOLUTIONS).averaging == "lookahead"
    assert fast(ROWS).optimizer == "adamw"
    assert fast(ROWS).averaging == "ema"
    assert fast(ROWS).learning_rate == TrainingParams().learning_rate


def test_the_batch_goes_with_the_amount_of_data_and_the_rate_with_the_batch():
    many, few = fast(CONVOLUTIONS), fast(CONVOLUTIONS, count=1200)
    assert many.batch_size == 1024
    assert few.batch_size == 32
    assert few.learning_rate < many.learning_rate


def test_a_network_may_bring_settings_of_its_own_for_the_batch_that_is_taken():
    network = build("speednet", {"num_classes": 10, "in_channels": 3, "widths": [8]})
    assert fast(network).learning_rate == 1.5
    assert fast(network, batch_size=512).learning_rate == 0.75
    assert fast(network, learning_rate=0.1).learning_rate == 0.1
    assert fast(network).bias_rate == 64


def test_the_standard_recipe_changes_nothing():
    options = classifier.Params().options(task="classification")
    assert resolved(options, CONVOLUTIONS, 50_000, list(classifier.Params.model_fields)) is options


def test_every_parameter_is_an_option_or_a_wish():
    names = {field.name for field in dataclasses.fields(TrainingOptions)}
    for params in (classifier.Params(), regressor.Params()):
        assert params.options(task="x").task == "x"
        assert set(params.model_dump()) - names == {"device", "precision", "memory_format", "compile"}


def test_the_defaults_leave_everything_to_the_run():
    assert classifier.Params().wishes == {}
    chosen = classifier.Params(device="cuda", precision="tf32", memory_format="auto", compile="no")
    assert chosen.wishes == {"device": "cuda", "precision": "tf32", "memory_format": "auto", "compile": False}
