"""Settings of a training block reach the training: precision, recipe, a rate that is looked for, compiling."""

import pytest
import torch

from engine.blocks.train import classifier, learning_rate_finder
from engine.compute import applied
from engine.errors import UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.models import build
from engine.runtime.examples import Examples
from engine.runtime.models import read_spec
from engine.spec import ExecutionPlan
from engine.testing import images, untrained
from tests.engine.contexts import Recorder


@pytest.fixture
def ctx(tmp_path):
    return Recorder(tmp_path)


def learn(ctx, **params):
    chosen = classifier.Params(**{"epochs": 2, "batch_size": 8, **params})
    dataset = images(ctx.store)
    return classifier.run(chosen, model=untrained(ctx.store), dataset=dataset, validation=None, ctx=ctx)


def test_the_precision_of_a_block_overrules_that_of_the_run(ctx):
    plan = read_spec(learn(ctx, precision="bf16").model).provenance["plan"]
    assert plan["precision"] == "bf16"
    assert ctx.plan.precision == "fp32"


def test_a_precision_that_this_machine_has_not_is_an_error_that_says_what_it_has(ctx):
    with pytest.raises(UserError, match="no precision fp16 on cpu") as caught:
        learn(ctx, precision="fp16")
    assert "bf16" in caught.value.hint


def test_the_fast_recipe_says_what_it_took_and_keeps_what_was_chosen(ctx):
    learn(ctx, recipe="fast", averaging="lookahead")
    (said,) = [line for line in ctx.lines if line.startswith("The fast recipe takes")]
    assert "gradient_clip 1.0" in said
    assert "averaging lookahead" not in said


def test_a_rate_that_is_looked_for_is_said_and_used(ctx):
    learn(ctx, find_learning_rate=True, learning_rate=1e-9, schedule="constant")
    (said,) = [line for line in ctx.lines if line.startswith("The learning rate is")]
    rates = {value for _, value in ctx.series("learning_rate")}
    assert len(rates) == 1
    assert f"{rates.pop():.3g}" in said


def test_the_finder_block_draws_its_curve_and_suggests_a_rate(ctx):
    params = learning_rate_finder.Params(steps=40, batch_size=8)
    made = learning_rate_finder.run(params, model=untrained(ctx.store), dataset=images(ctx.store), ctx=ctx)
    suggested = made.metrics.read_json("metrics.json")["suggested_learning_rate"]
    figure = made.figure.read_json("figure.json")
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["data"][1]["x"][0] == pytest.approx(suggested, rel=1e-4)
    assert 1e-6 < suggested < 10


# The compiler's own modules warn of themselves when they are imported.
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.slow
def test_a_compiled_network_learns_the_same(tmp_path):
    losses = []
    for compiled in (False, True):
        plan = ExecutionPlan(memory_format="channels_last", compile=compiled)
        generator = torch.Generator().manual_seed(0)
        data = TrainingData(Examples(torch.rand(40, 3, 8, 8, generator=generator)), torch.arange(40) % 3)
        with applied(plan, 0):
            module = build("convnet", {"num_classes": 3, "in_channels": 3, "widths": [8, 8]})
            options = TrainingOptions(epochs=3, batch_size=16, averaging="ema")
            result = train(module, data, options, Recorder(tmp_path), plan=plan)
        losses.append(result.metrics["train_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
