"""Dynamic INT8: ranges read off the inputs, hard layers in blocks, tables by measure, and the runtime's kernels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from engine.compress.dynamic import quantize_dynamic
from engine.compress.dynamic_layers import DynamicLinear, dynamic_linear, round_by_itself
from engine.compress.pack import plain, written
from engine.compress.sensitivity import relative_error
from engine.models import build
from engine.runtime.onnx_export import Session

BERT = {"task": "classification", "num_classes": 3, "vocab_size": 200, "pad_id": 0, "max_length": 16}
SHAPE = {"hidden_size": 64, "layers": 1, "heads": 2, "intermediate_size": 128}


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    torch.manual_seed(0)
    module = build("bert", {**BERT, **SHAPE}).eval()
    for weight in module.parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=0.1)
    return module


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    drawn = torch.randint(1, BERT["vocab_size"], (16, 16), generator=torch.Generator().manual_seed(1))
    drawn[::2, 9:] = 0  # half of the texts are short
    return drawn


def test_an_input_is_rounded_to_256_steps_of_its_own_range() -> None:
    x = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    low, high = min(x.min(), 0), max(x.max(), 0)
    step = (high - low) / 255
    zero = round(-low / step)
    wanted = (np.clip(np.round(x / step) + zero, 0, 255) - zero) * step
    np.testing.assert_allclose(round_by_itself(torch.from_numpy(x)).numpy(), wanted, atol=1e-6)


def test_rounding_an_input_of_zeros_gives_zeros() -> None:
    assert torch.equal(round_by_itself(torch.zeros(3)), torch.zeros(3))


def test_products_are_those_of_whole_numbers() -> None:
    generator = np.random.default_rng(0)
    x, codes = generator.normal(size=(4, 6)).astype(np.float32), generator.integers(-127, 128, (6, 3)).astype(np.int8)
    scale, bias = generator.random(3).astype(np.float32), generator.random(3).astype(np.float32)
    found = dynamic_linear(*(torch.from_numpy(value) for value in (x, codes, scale, bias))).numpy()
    low, high = float(x.min()), float(x.max())
    step = (high - low) / 255
    zero = round(-low / step)
    whole = (np.round(x / step) + zero).clip(0, 255).astype(np.int32) - zero
    np.testing.assert_allclose(found, (whole @ codes.astype(np.int32)) * step * scale + bias, rtol=1e-4)


def test_keeping_every_layer_is_the_identity(encoder: nn.Module, tokens: Tensor) -> None:
    names = [name for name, layer in encoder.named_modules() if isinstance(layer, nn.Linear | nn.Embedding)]
    same = quantize_dynamic(encoder, [tokens], kept=names)
    with torch.no_grad():
        assert torch.equal(same.module(tokens), encoder(tokens))
    assert not same.layers


def test_the_file_computes_in_whole_numbers_what_was_simulated(encoder: nn.Module, tokens: Tensor) -> None:
    small = quantize_dynamic(encoder, [tokens], tables="4")
    content = written(small.module, tokens[:2])
    session = Session(content)
    # One text at a time, as the range is that of everything that comes in at once.
    found = torch.cat([torch.from_numpy(session.run(text[None].numpy())) for text in tokens])
    with torch.no_grad():
        simulated = torch.cat([small.module(text[None]) for text in tokens])
        true = encoder(tokens)
    assert relative_error(found, simulated) < 0.01
    assert relative_error(simulated, true) < 0.15
    used = Counter(node.op_type for node in onnx.load_from_string(content).graph.node)
    assert used["DynamicQuantizeMatMul"] == 8  # six of the layer, the pooler and the classifier
    assert used["GatherBlockQuantized"] == 1
    assert len(content) < 0.33 * len(plain(encoder, tokens[:2]))


def test_a_layer_whose_inputs_have_one_huge_channel_is_computed_in_blocks() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    with torch.no_grad():
        net[0].weight[5] *= 300.0  # what leaves channel 5 is 300 times as large as the rest
        net[2].weight[:, 5] = 0.0  # and the next layer does not need it
    x = torch.randn(64, 64)
    with torch.no_grad():
        true = net(x)
        one_range = quantize_dynamic(net, [x], blocks=False)
        by_blocks = quantize_dynamic(net, [x])
        assert by_blocks.in_blocks == ("2",)
        assert not one_range.in_blocks
        assert isinstance(by_blocks.module.get_submodule("0"), DynamicLinear)
        assert relative_error(by_blocks.module(x), true) < 0.2 * relative_error(one_range.module(x), true)


def test_a_table_gets_four_bits_only_where_the_outputs_bear_it(encoder: nn.Module, tokens: Tensor) -> None:
    words = "bert.embeddings.word_embeddings"
    assert quantize_dynamic(encoder, [tokens]).layers[words].bits == 8
    assert words not in quantize_dynamic(encoder, [tokens], tables="float").layers

    class Faint(nn.Module):
        """Hardly looks at its words."""

        def __init__(self) -> None:
            super().__init__()
            self.words, self.dense = nn.Embedding(64, 64), nn.Linear(64, 64)

        def forward(self, x: Tensor) -> Tensor:
            seen: Tensor = self.dense(0.01 * self.words(x) + x[..., None].float())
            return seen

    torch.manual_seed(0)
    assert quantize_dynamic(Faint(), [torch.randint(0, 64, (8, 6))]).layers["words"].bits == 4


def test_carrying_the_error_on_errs_less(encoder: nn.Module, tokens: Tensor) -> None:
    carried = quantize_dynamic(encoder, [tokens]).layers
    nearest = quantize_dynamic(encoder, [tokens], compensate=False).layers
    whole = [name for name in carried if name.startswith("bert.encoder")]
    assert whole
    assert sum(carried[name].error for name in whole) < 0.8 * sum(nearest[name].error for name in whole)
