"""4 and 8 bits for each layer: rounding by channel, how bits are shared out, and the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from engine.compress.channels import Channels, error_of, round_channels
from engine.compress.int8 import quantize_int8
from engine.compress.mixed import quantize_mixed, share_bits
from engine.compress.pack import plain, written
from engine.compress.rounding import Grid, RoundedWeight
from engine.compress.sensitivity import relative_error
from engine.errors import UserError
from engine.runtime.onnx_export import Session
from tests.engine.compress.conftest import Bench


def moments_of(columns: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, columns, generator=generator) @ torch.randn(columns, columns, generator=generator)
    return (x.T @ x) / len(x)


def test_channels_are_whole_numbers_on_their_grid_and_err_less_with_the_error_carried_on() -> None:
    weight, moments = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1)), moments_of(36)
    found = round_channels(weight, moments, 4)
    assert torch.equal(found.codes, found.codes.round())
    assert float(found.codes.abs().max()) <= 7
    assert found.codes.shape == weight.shape
    largest = weight.flatten(1).abs().amax(1) / 7
    rounded = (weight.flatten(1) / largest[:, None]).round()
    naive = error_of(Channels(rounded, largest, Grid(-7, 7), 0.0), weight, moments)
    assert found.error < 0.6 * naive
    assert found.bytes == 6 * 36 // 2 + 4 * 6


def test_a_layer_computes_with_the_weight_that_is_put_into_it() -> None:
    torch.manual_seed(0)
    layer = RoundedWeight(nn.Conv2d(2, 3, 3))
    found = round_channels(layer.layer.weight, moments_of(18), 4)
    found.put_into(layer)
    x = torch.randn(1, 2, 5, 5)
    wanted = nn.functional.conv2d(x, found.codes * found.scale[:, None, None, None], layer.layer.bias)
    torch.testing.assert_close(layer(x), wanted)


class Adding:
    """A network whose squared errors add up."""

    def __init__(self, costs: Mapping[str, float], sizes: Mapping[str, int]) -> None:
        self.costs, self.sizes = costs, sizes

    def __call__(self, bits: Mapping[str, int]) -> float:
        return sum(self.costs[name] ** 2 for name, number in bits.items() if number == 4) ** 0.5

    def bytes(self, layer: str, bits: int) -> int:
        return self.sizes[layer] * bits // 8


def test_bits_go_to_the_layers_whose_bytes_cost_most() -> None:
    costs, sizes = {"a": 0.3, "b": 0.1, "c": 0.2, "d": 0.02}, {"a": 900, "b": 100, "c": 100, "d": 100}
    network = Adding(costs, sizes)
    bits, rows = share_bits(list(costs), network, 0.31, sizes, lambda: None)
    # By bytes saved for what they cost: d, a, b, c. Together d and a err 0.3007, with b 0.317.
    assert bits == {"a": 4, "b": 8, "c": 8, "d": 4}
    assert [row.error for row in rows if row.bits == 4] == pytest.approx(list(costs.values()))


def test_no_error_allowed_means_eight_bits_everywhere_and_much_error_four(bench: Bench) -> None:
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3))
    strict = quantize_mixed(net, [bench.calibration], max_error=0.0)
    loose = quantize_mixed(net, [bench.calibration], max_error=9.0)
    assert set(strict.bits.values()) == {8}
    assert set(loose.bits.values()) == {4}


def test_the_file_holds_four_bits_and_is_computed_in_whole_numbers(bench: Bench, tmp_path) -> None:
    small = quantize_mixed(bench.module, [bench.calibration], max_error=0.09)
    assert small.inputs == "int8"
    assert small.error <= 0.09
    assert set(small.bits.values()) == {4, 8}
    content = written(small.module, bench.calibration[:2])
    found = Session(content).run(bench.images.numpy())
    with torch.no_grad():
        true, simulated = bench.module(bench.images), small.module(bench.images)
    assert bench.accuracy(found) >= bench.accuracy(true) - 0.02
    assert relative_error(torch.from_numpy(found), simulated) < 0.06
    int8 = quantize_int8(bench.module, [bench.calibration], methods=["min_max"])
    assert len(content) < 0.85 * len(written(int8.graph, bench.calibration[:2]))
    assert len(content) < 0.3 * len(plain(bench.module, bench.calibration[:2]))
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    used = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert used["QLinearConv"] == 20
    assert not {"Conv", "FusedConv", "Add", "Cast"} & set(used)


def test_carrying_errors_on_lets_four_bits_everywhere_err_less_than_rounding_to_the_nearest(bench: Bench) -> None:
    small = quantize_mixed(bench.module, [bench.calibration], max_error=9.0, methods=["min_max"])
    nearest = quantize_int8(bench.module, [bench.calibration], methods=["min_max"], correct=False).graph
    for layer in nearest.modules():
        if isinstance(layer, RoundedWeight):
            weight = layer.layer.weight
            largest = weight.detach().abs().flatten(1).amax(1).clamp(min=1e-12) / 7
            layer.rounded.scale, layer.rounded.grid = largest, Grid(-7, 7)
    with torch.no_grad():
        true = bench.module(bench.images)
        assert relative_error(small.module(bench.images), true) < 0.6 * relative_error(nearest(bench.images), true)


def test_a_network_without_convolutions_keeps_floats_and_shares_bits_of_groups() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.Tanh())))
    x = torch.randn(64, 64)
    all_narrow = quantize_mixed(net, [x], max_error=9.0)
    small = quantize_mixed(net, [x], max_error=0.7 * all_narrow.error)
    assert small.inputs == "float"
    assert set(small.bits.values()) == {4, 8}
    assert small.error <= 0.7 * all_narrow.error
    with torch.no_grad():
        assert relative_error(small.module(x)[:32], net(x)[:32]) == pytest.approx(small.error, rel=1e-4)


def test_keeping_every_layer_says_so() -> None:
    with pytest.raises(UserError, match="stay in floats"):
        quantize_mixed(nn.Sequential(nn.Linear(64, 64)), [torch.randn(9, 64)], kept=["0"])
