"""INT8 with training: scales that are learned, the arithmetic of their gradients, and the file that comes out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.compress.int8 import Int8, quantize_int8
from engine.compress.qat import LearnedRounding, fixed, learnable, train_int8
from engine.compress.rounding import ACTIVATIONS, Rounded, onnx_translations
from engine.compute import applied
from engine.errors import InterruptedRun
from engine.learn import TrainingData, TrainingOptions
from engine.learn.checkpoints.checkpoint import CheckpointFolder
from engine.learn.distil import DistilOptions
from engine.learn.distil.losses import softened
from engine.runtime.examples import Examples
from engine.runtime.onnx_export import Session, to_onnx
from engine.spec import ExecutionPlan
from tests.engine.compress.conftest import Bench
from tests.engine.contexts import Recorder

OPTIONS = TrainingOptions(epochs=2, batch_size=32, learning_rate=1e-3, distil=DistilOptions(temperature=2.0))


def data(bench: Bench, count: int = 256) -> TrainingData:
    """Images with the answers of the network as their classes."""
    with torch.no_grad():
        labels = bench.module(bench.calibration[:count]).argmax(1)
    return TrainingData(Examples(bench.calibration[:count]), labels)


def coarse(bench: Bench) -> Int8:
    """A quantisation that is worse than it need be: ranges that cut half of every value away."""
    made = quantize_int8(bench.module, [bench.calibration], methods=["min_max"])
    for layer in made.graph.modules():
        if isinstance(layer, Rounded) and layer.axis < 0:
            layer.scale.mul_(0.5)
    return made


def error(graph: nn.Module, bench: Bench) -> float:
    with torch.no_grad():
        return float(softened(graph(bench.images), bench.module(bench.images), 1.0))


def learned(
    folder: Path,
    bench: Bench,
    small: Int8,
    stop: Callable[[Recorder], None] | None = None,
    checkpoints: CheckpointFolder | None = None,
) -> Int8:
    with applied(ExecutionPlan(threads=1), 3):
        teacher = copy.deepcopy(bench.module)
        return train_int8(small, data(bench), OPTIONS, Recorder(folder, stop=stop), teacher, checkpoints=checkpoints)


def test_without_a_step_nothing_changes(bench: Bench) -> None:
    small = quantize_int8(bench.module, [bench.calibration]).graph
    with torch.no_grad():
        assert torch.equal(fixed(learnable(small))(bench.images), small(bench.images))


def test_the_gradient_of_a_scale_is_damped_by_the_numbers_that_share_it() -> None:
    layer = LearnedRounding(Rounded(torch.tensor(0.5), torch.tensor(0.0), ACTIVATIONS))
    x = torch.tensor([[0.4, 500.0], [0.6, 1.1]])
    layer(x).sum().backward()
    assert layer.growth.grad is not None
    # per number: round(x / s) - x / s inside the grid, its end outside; the chain rule of the logarithm; 2 numbers in
    # an example and a grid up to 255
    by_scale = (1 - 0.8) + 255 + (1 - 1.2) + (2 - 2.2)
    assert float(layer.growth.grad) == pytest.approx(by_scale * 0.5 / (2 * 255) ** 0.5, rel=1e-4)


def test_training_brings_a_coarse_quantisation_closer_to_the_floats(bench: Bench, tmp_path: Path) -> None:
    small = coarse(bench)
    before = copy.deepcopy(small.graph.state_dict())
    trained = learned(tmp_path, bench, small)
    assert error(trained.graph, bench) < 0.5 * error(small.graph, bench)
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.graph.state_dict().items())
    moved = [trained.ranges[name].high / chosen.high for name, chosen in small.ranges.items() if chosen.high > 0]
    assert max(moved) > 0.5, "a range of a value that was cut has grown"


def test_what_was_trained_is_exported_as_whole_numbers(bench: Bench, tmp_path: Path) -> None:
    trained = learned(tmp_path, bench, quantize_int8(bench.module, [bench.calibration]))
    content = to_onnx(trained.graph, bench.calibration[:2], onnx_translations())
    found = torch.from_numpy(Session(content).run(bench.images.numpy()))
    with torch.no_grad():
        simulated: Tensor = trained.graph(bench.images)
    assert float((found.argmax(1) == simulated.argmax(1)).float().mean()) > 0.99
    assert len(content) < 0.35 * 4 * sum(p.numel() for p in bench.module.parameters())


def test_a_training_that_was_interrupted_ends_with_the_same_scales(bench: Bench, tmp_path: Path) -> None:
    small = quantize_int8(bench.module, [bench.calibration])
    (tmp_path / "whole").mkdir()
    whole = learned(tmp_path / "whole", bench, small)

    def stop(ctx: Recorder) -> None:
        if ctx.steps == 3:
            raise InterruptedRun

    kept = CheckpointFolder(tmp_path / "checkpoints", 100)
    with pytest.raises(InterruptedRun):
        learned(tmp_path, bench, small, stop=stop, checkpoints=kept)
    resumed = learned(tmp_path, bench, small, checkpoints=CheckpointFolder(tmp_path / "checkpoints", 100))
    for name, tensor in whole.graph.state_dict().items():
        assert torch.equal(tensor, resumed.graph.state_dict()[name]), name
