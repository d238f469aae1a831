"""The speed network: its first layer whitens, it learns, and its answers are means of views."""

import pytest
import torch

from engine.compute import applied
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.recipes import resolved
from engine.models import build
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder


def network(**config):
    torch.manual_seed(0)
    return build("speednet", {"num_classes": 3, "in_channels": 3, "widths": [8, 12], **config})


def test_the_first_layer_gives_channels_without_correlation_and_of_one_size():
    torch.manual_seed(1)
    images = torch.nn.functional.avg_pool2d(torch.randn(200, 3, 34, 34), 3, stride=1)  # neighbours are alike
    module = network()
    module.see(images)
    seen = module.whiten(images).detach().transpose(0, 1).flatten(1)[:12].double()
    covariance = seen @ seen.T / seen.shape[1]
    assert torch.allclose(covariance, torch.eye(12, dtype=torch.float64), atol=0.08)


def test_it_looks_only_once():
    module = network()
    module.see(torch.randn(50, 3, 8, 8))
    before = module.whiten.weight.clone()
    module.see(10 * torch.randn(50, 3, 8, 8))
    assert torch.equal(module.whiten.weight, before)
    again = network()
    again.load_state_dict(module.state_dict())
    again.see(torch.randn(50, 3, 8, 8))
    assert torch.equal(again.whiten.weight, before)


def test_an_image_and_its_mirror_image_get_the_same_answer():
    module = network(views="mirrored").eval()
    x = torch.randn(4, 3, 16, 16)
    assert torch.allclose(module(x), module(x.flip(-1)), atol=1e-5)
    plain = network(views="one").eval()
    assert not torch.allclose(plain(x), plain(x.flip(-1)), atol=1e-5)


def test_an_answer_is_the_mean_of_six_views():
    moved, plain = network(views="moved").eval(), network(views="one").eval()
    x = torch.randn(4, 3, 16, 16)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    views = [(x, 0.25), (padded[:, :, :16, :16], 0.125), (padded[:, :, 2:, 2:], 0.125)]
    by_hand = sum(weight * (plain(view) + plain(view.flip(-1))) for view, weight in views)
    assert torch.allclose(moved(x), by_hand, atol=1e-5)


def test_it_learns_with_the_fast_recipe(tmp_path):
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(120) % 3
    images = torch.randn(120, 3, 12, 12, generator=generator)
    images[torch.arange(120), targets] += 1.0
    data = TrainingData(Examples(images), targets)
    with applied(ExecutionPlan(threads=1), 0):
        module = network()
        names = ["batch_size", "learning_rate", "optimizer", "momentum", "weight_decay", "bias_rate", "averaging"]
        options = resolved(TrainingOptions(epochs=6, recipe="fast"), module, 120, names)
        result = train(module, data, options, Recorder(tmp_path))
    assert options.optimizer == "sgd"
    assert bool(module.is_whitened)
    with torch.inference_mode():
        assert float((module.eval()(images).argmax(1) == targets).float().mean()) > 0.9
    assert result.metrics["train_loss"] < 1.0


@pytest.mark.parametrize("side", [4, 8, 32])
def test_any_size_of_image_goes_through(side):
    assert network()(torch.randn(2, 3, side, side)).shape == (2, 3)
