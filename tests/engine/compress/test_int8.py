"""INT8 after training: the arithmetic, the integer kernels of the runtime, and what cannot be done."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from engine.compress.calibrate import count_values, run
from engine.compress.graph import layers, traced
from engine.compress.int8 import quantize_int8
from engine.compress.ranges import Histogram, least_squares, percentile
from engine.compress.rounding import ACTIVATIONS, affine_scale, onnx_translations, round_trip, symmetric_scale
from engine.errors import UserError
from engine.runtime.onnx_export import Session, to_onnx
from tests.engine.compress.conftest import Bench


def by_hand(x: np.ndarray, scale: float, zero: int, low: int, high: int) -> np.ndarray:
    return (np.clip(np.round(x / scale) + zero, low, high) - zero) * scale


def test_a_round_trip_is_what_the_formula_says() -> None:
    x = np.random.default_rng(0).normal(size=(50,)).astype(np.float32)
    found = round_trip(torch.from_numpy(x), torch.tensor(0.03), torch.tensor(20.0), -1, 0, 63).numpy()
    np.testing.assert_allclose(found, by_hand(x, np.float32(0.03), 20, 0, 63), atol=1e-6)


def test_weights_have_a_scale_for_each_channel() -> None:
    weight = torch.tensor([[1.0, -2.0], [0.25, 0.1]])
    scale, zero = symmetric_scale(weight)
    rounded = round_trip(weight, scale, zero, 0, -127, 127)
    assert (rounded - weight).abs().max(1).values.tolist() < (scale / 2 + 1e-7).tolist()
    assert rounded[0, 1] == -2.0


def test_the_gradient_passes_inside_and_stops_outside() -> None:
    x = torch.tensor([-1.0, 0.4, 9.0], requires_grad=True)
    round_trip(x, torch.tensor(0.5), torch.tensor(0.0), -1, 0, 4).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_the_gradient_of_a_scale_is_that_of_learned_step_size() -> None:
    scale = torch.tensor(0.5, requires_grad=True)
    round_trip(torch.tensor([0.4, 9.0]), scale, torch.tensor(0.0), -1, 0, 4).sum().backward()
    assert scale.grad is not None
    # Inside: round(x / s) - x / s = 1 - 0.8; above the grid: its end, 4.
    assert float(scale.grad) == pytest.approx(0.2 + 4.0, abs=1e-6)


def test_the_least_squares_range_errs_least_among_its_candidates() -> None:
    values = np.random.default_rng(0).standard_t(3, 20_000)
    seen = Histogram()
    seen.add(torch.from_numpy(values))

    def error(share: float) -> float:
        scale, zero = affine_scale(seen.low * share, seen.high * share)
        return float(((by_hand(values, float(scale), int(zero), 0, 255) - values) ** 2).sum())

    low, _ = least_squares(seen)
    taken = low / seen.low
    assert error(taken) <= 1.02 * min(error(share) for share in np.linspace(1, 0.05, 80))


def test_a_percentile_cuts_the_share_it_names() -> None:
    values = np.random.default_rng(0).normal(size=200_000)
    seen = Histogram()
    seen.add(torch.from_numpy(values))
    low, high = percentile(seen, 0.99)
    outside = float(((values < low) | (values > high)).mean())
    assert 0.005 < outside < 0.015


def test_values_that_are_not_finite_do_not_count() -> None:
    seen = Histogram()
    seen.add(torch.tensor([1.0, np.inf, np.nan, -2.0]))
    assert (seen.low, seen.high) == (-2.0, 1.0)


def test_folding_the_normalisation_changes_nothing(bench: Bench) -> None:
    graph = traced(bench.module, bench.images[:2])
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in graph.modules())
    with torch.no_grad():
        torch.testing.assert_close(graph(bench.images), bench.module(bench.images), rtol=1e-4, atol=1e-4)


def test_keeping_every_layer_is_the_identity(bench: Bench) -> None:
    names = [name for name, _ in layers(traced(bench.module, bench.images[:2]))]
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    kept = quantize_int8(net, [bench.calibration], kept=("0", "2"))
    with torch.no_grad():
        assert torch.equal(kept.graph(bench.images), net(bench.images))
    assert "fc" in names


def test_the_file_computes_in_whole_numbers_what_was_simulated(bench: Bench, tmp_path) -> None:
    small = quantize_int8(bench.module, [bench.calibration])
    content = to_onnx(small.graph, bench.calibration[:2], onnx_translations())
    plain = to_onnx(traced(bench.module, bench.images[:2]), bench.calibration[:2])
    found = Session(content).run(bench.images.numpy())
    with torch.no_grad():
        simulated = small.graph(bench.images)
        true = bench.module(bench.images)
    assert len(content) < 0.35 * len(plain)
    assert bench.accuracy(true) > 0.9
    assert bench.accuracy(found) >= bench.accuracy(true) - 0.01
    spread = float(true.std())
    assert float((torch.from_numpy(found) - simulated).abs().mean()) < 0.02 * spread
    assert float((simulated - true).abs().mean()) < 0.1 * spread
    # What the runtime makes of it: integer convolutions and sums, no float ones.
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    used = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert {"QLinearConv", "QLinearAdd"} <= used
    assert not used & {"Conv", "FusedConv", "Add"}


def test_correcting_biases_brings_the_mean_of_each_channel_back(bench: Bench) -> None:
    original = traced(bench.module, bench.images[:2])
    true = {node.name: value for node, value in run(original, bench.calibration).items()}

    def shift(correct: bool) -> float:
        graph = quantize_int8(bench.module, [bench.calibration], methods=["min_max"], correct=correct).graph
        values = {node.name: value for node, value in run(graph, bench.calibration[:64]).items()}
        names = [node.name for node in original.graph.nodes if str(node.target).endswith("conv2")]
        moved = [values[name].mean((0, 2, 3)) - true[name][:64].mean((0, 2, 3)) for name in names]
        return float(torch.cat(moved).abs().mean())

    assert shift(True) < 0.2 * shift(False)


def test_each_value_takes_the_range_that_errs_least(bench: Bench) -> None:
    ranges = quantize_int8(bench.module, [bench.calibration]).ranges
    assert all(chosen.errors[chosen.method] == min(chosen.errors.values()) for chosen in ranges.values())
    assert len(next(iter(ranges.values())).errors) == 4


def test_counting_sees_every_batch(bench: Bench) -> None:
    graph = traced(bench.module, bench.images[:2])
    whole = count_values(graph, [bench.calibration])
    parts = count_values(graph, list(bench.calibration.split(32)))
    assert {name: seen.high for name, seen in whole.items()} == pytest.approx(
        {name: seen.high for name, seen in parts.items()}, rel=1e-4
    )


def test_too_little_data_says_how_much_is_needed(bench: Bench) -> None:
    with pytest.raises(UserError, match="3 examples are too few"):
        quantize_int8(bench.module, [bench.calibration[:3]])


def test_a_network_whose_path_depends_on_values_says_so() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(UserError, match="cannot be taken apart"):
        quantize_int8(Branching(), [torch.zeros(16, 2)])


def test_the_grid_of_activations_holds_zero_exactly() -> None:
    scale, zero = affine_scale(0.3, 0.7)
    assert float(round_trip(torch.tensor(0.0), scale, zero, -1, ACTIVATIONS.low, ACTIVATIONS.high)) == 0.0


def test_a_layer_that_is_called_twice_takes_its_normalisation_in_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.conv(x)) + self.norm(self.conv(x.flip(-1)))

    torch.manual_seed(0)
    net, x = Twice(), torch.randn(8, 1, 6, 6)
    for _ in range(3):
        net(3 * x)
    graph = traced(net.eval(), x[:2])
    assert [type(layer).__name__ for layer in graph.children()] == ["Conv2d"]
    with torch.no_grad():
        torch.testing.assert_close(graph(x), net(x))


def test_a_normalisation_of_two_layers_stays() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.norm = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.first(x)) + self.norm(self.second(x))

    torch.manual_seed(0)
    net, x = Shared(), torch.randn(8, 1, 6, 6)
    net(3 * x)
    with torch.no_grad():
        torch.testing.assert_close(traced(net.eval(), x[:2])(x), net(x))
