"""Parameters and work of networks, counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.compress.macs import count
from engine.models import build


def test_a_convolution_multiplies_at_every_place_for_every_pair_of_channels_in_a_group() -> None:
    found = count(nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), torch.zeros(3, 4, 8, 8))
    assert found.macs == 4 * 4 * 6 * (4 // 2) * 3 * 3
    assert found.params == 6 * 2 * 9 + 6


def test_a_linear_layer_multiplies_for_every_token() -> None:
    assert count(nn.Linear(5, 7), torch.zeros(2, 3, 5)).macs == 3 * 5 * 7


def test_resnet18_is_as_large_as_the_paper_says() -> None:
    with torch.device("meta"):
        network = build("resnet18", {"num_classes": 1000, "in_channels": 3, "stem": "large"})
    found = count(network, torch.zeros(1, 3, 224, 224, device="meta"))
    assert found.params == 11_689_512
    assert found.macs == 1_814_073_344  # 1.8 billion: He et al. 2016, table 1


def test_the_attention_of_bert_is_counted() -> None:
    width, inner, length, layers, classes = 8, 16, 6, 2, 3
    config = {"task": "classification", "num_classes": classes, "vocab_size": 20, "pad_id": 0, "max_length": length}
    config |= {"hidden_size": width, "layers": layers, "heads": 2, "intermediate_size": inner}
    found = count(build("bert", config), torch.ones(5, length, dtype=torch.int64))
    layer = length * (4 * width * width + 2 * width * inner) + 2 * length * length * width
    assert found.macs == layers * layer + width * width + width * classes


def test_a_network_whose_path_depends_on_values_is_run() -> None:
    config = {
        "vocab_size": 9,
        "hidden_size": 8,
        "layers": 1,
        "heads": 2,
        "intermediate_size": 16,
        "experts": 1,
        "top_k": 1,
    }
    found = count(build("moe_lm", config), torch.ones(1, 5, dtype=torch.int64))
    attention = 5 * 4 * 8 * 8 + 2 * 5 * 5 * 8
    assert found.macs == attention + 5 * (8 * 1 + 3 * 8 * 16) + 5 * 8 * 9


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_a_network_as_it_was(training: bool) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, torch.ones(4, 1, 2, 2))
    assert network.training is training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
