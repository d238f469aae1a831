"""What each layer costs when it alone has fewer bits, and the picture of it."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from engine.compress.sensitivity import LayerSensitivity, figure, relative_error, sensitivity


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 5))


def test_the_error_is_that_of_a_network_with_one_rounded_layer(net: nn.Module) -> None:
    x = torch.randn(16, 2, 6, 6)
    rows = {(row.layer, row.bits): row for row in sensitivity(net, [x], bits=(4,))}
    with torch.no_grad():
        true = net(x)
        weight = net[0].weight.clone()
        step = weight.abs().flatten(1).amax(1)[:, None, None, None] / 7
        net[0].weight.copy_((weight / step).round() * step)
        found = net(x)
    wanted = float((found - true).square().mean().sqrt() / true.std())
    assert rows["0", 4].error == pytest.approx(wanted, rel=1e-4)
    assert rows["0", 4].bytes_after == weight.numel() // 2 + 4 * 4


def test_fewer_bits_cost_more_and_take_less(net: nn.Module) -> None:
    rows = sensitivity(net, [torch.randn(16, 2, 6, 6)], bits=(8, 4, 2))
    for layer in ("0", "3", "5"):
        own = [row for row in rows if row.layer == layer]
        assert [row.bits for row in own] == [8, 4, 2]
        assert own[0].error < own[1].error < own[2].error
        assert own[0].bytes_before > own[0].bytes_after > own[1].bytes_after > own[2].bytes_after


def test_the_network_is_left_as_it_was(net: nn.Module) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    sensitivity(net, [torch.randn(8, 2, 6, 6)])
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_layers_that_are_not_used_do_not_appear_and_shared_weights_appear_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.idle = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
            self.second.weight = self.first.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.second(self.first(x))
            return out

    assert [row.layer for row in sensitivity(Shared(), [torch.randn(4, 8)], bits=(4,))] == ["first"]


def test_a_relative_error_of_nothing_is_zero_and_of_the_spread_is_one() -> None:
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert relative_error(x, x) == 0.0
    assert relative_error(x + x.std(), x) == pytest.approx(1.0)


def test_the_figure_is_plain_data_with_a_cell_for_each_layer_and_number_of_bits() -> None:
    rows = [LayerSensitivity(f"layer{n}", bits, n / bits, 400, 50 * bits) for n in range(3) for bits in (8, 4)]
    made = figure(rows, {"layer0": 4, "layer1": 8})
    heat, chosen = made["data"]
    assert heat["y"] == ["layer0", "layer1", "layer2"]
    assert heat["x"] == ["8 bits", "4 bits"]
    assert heat["z"][2] == [25.0, 50.0]
    assert heat["customdata"][0] == [0, 200]
    assert (chosen["x"], chosen["y"]) == (["4 bits", "8 bits"], ["layer0", "layer1"])
    assert json.loads(json.dumps(made)) == made


def test_of_very_many_layers_the_most_sensitive_are_drawn() -> None:
    rows = [LayerSensitivity(f"layer{n}", 4, n / 1000, 8, 1) for n in range(300)]
    shown = figure(rows)["data"][0]["y"]
    assert len(shown) == 120
    assert shown[-1] == "layer299"
    assert "layer3" not in shown
