"""INT4 weights: the arithmetic of groups, errors carried on, the runtime's kernels, and what cannot be done."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from engine.compress.int4 import quantize_int4
from engine.compress.int4_groups import Groups, from_groups
from engine.compress.int4_solve import error_of, group_scales, nearest, solve
from engine.compress.int4_watch import watch
from engine.compress.pack import plain, written
from engine.compress.sensitivity import relative_error
from engine.errors import UserError
from engine.models import build
from engine.runtime.onnx_export import Session

LM = {"vocab_size": 96, "pad_id": 0, "hidden_size": 64, "layers": 1, "heads": 2, "intermediate_size": 96}


@pytest.fixture(scope="module")
def decoder() -> nn.Module:
    """Weights as large as trained ones, so that the outputs say something."""
    torch.manual_seed(0)
    module = build("transformer_lm", {**LM, "task": "language_model", "max_length": 24}).eval()
    for weight in module.parameters():
        if weight.ndim > 1:
            nn.init.normal_(weight, std=0.1)
    return module


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    return torch.randint(1, LM["vocab_size"], (16, 24), generator=torch.Generator().manual_seed(1))


def correlated(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, columns, generator=generator)
    x = torch.randn(400, columns // 2, generator=generator) @ torch.randn(columns // 2, columns, generator=generator)
    return weight, (x.T @ x) / len(x)


def test_floats_of_groups_are_what_the_formula_says() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 16, (3, 40), dtype=np.uint8)
    scale, zero = generator.random((3, 2), dtype=np.float32), generator.integers(0, 16, (3, 2), dtype=np.uint8)
    found = from_groups(torch.from_numpy(codes), torch.from_numpy(scale), torch.from_numpy(zero), 4, 32).numpy()
    for row, column in product(range(3), range(40)):
        group = column // 32
        wanted = (float(codes[row, column]) - float(zero[row, group])) * scale[row, group]
        assert found[row, column] == pytest.approx(wanted, rel=1e-6)


def test_a_group_covers_its_range_and_holds_zero() -> None:
    weight = torch.tensor([[-1.0, 2.0, 0.0, 0.5]])
    scale, zero = group_scales(weight, torch.ones(4), bits=4, group=4, shares=(1.0,))
    assert float(scale) == pytest.approx(3 / 15)
    assert int(zero) == 5
    made = from_groups(nearest(weight, scale, zero, 4, 4), scale, zero, 4, 4)
    assert made[0, 2] == 0
    assert float((made - weight).abs().max()) <= float(scale) / 2 + 1e-6


def test_carrying_the_error_on_is_the_published_algorithm() -> None:
    """A plain loop over columns with the inverse Hessian updated by elimination (GPTQ, section 3)."""
    weight, moments = correlated(4, 24)
    found = solve(weight, moments, group=16, search=False, refit=False)
    order = moments.diagonal().argsort(descending=True)
    damped = moments + torch.eye(24) * 0.01 * moments.diagonal().mean()
    inverse = torch.linalg.inv(damped[order][:, order].double())
    remaining = weight[:, order].double()
    scale, zero = group_scales(weight, moments.diagonal(), bits=4, group=16, shares=(1.0,))
    codes = torch.zeros_like(weight)
    for place, column in enumerate(order.tolist()):
        step, start = scale[:, column // 16].double(), zero[:, column // 16].double()
        code = (remaining[:, place] / step).round().add(start).clamp(0, 15)
        codes[:, column] = code.float()
        error = (remaining[:, place] - (code - start) * step) / inverse[place, place]
        remaining -= error[:, None] * inverse[place]
        inverse = inverse - torch.outer(inverse[:, place], inverse[place]) / inverse[place, place]
    assert float((codes != found.groups.codes.float()).float().mean()) < 0.03  # ties at the limit of float32


def test_each_step_of_the_method_errs_less() -> None:
    weight, moments = correlated(64, 128)
    plain_error = solve(weight, moments, search=False, compensate=False, refit=False).error
    searched = solve(weight, moments, compensate=False, refit=False).error
    carried = solve(weight, moments, refit=False).error
    whole = solve(weight, moments).error
    assert whole < carried < 0.6 * searched < searched < plain_error


def test_solved_scales_are_the_best_for_their_whole_numbers() -> None:
    weight, moments = correlated(8, 64)
    groups = solve(weight, moments).groups
    least = error_of(groups, weight, moments)
    for factor in (0.98, 1.02):
        scale = groups.scale.clone()
        scale[:, 0] *= factor
        moved = Groups(groups.codes, scale, groups.zero, 4, 32)
        assert error_of(moved, weight, moments) > least - 1e-7


def test_a_weight_that_lies_on_the_grid_stays_what_it_is() -> None:
    codes = torch.randint(0, 16, (6, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    codes[:, 0::32], codes[:, 1::32] = 0, 15
    zero = torch.full((6, 2), 7, dtype=torch.uint8)
    weight = from_groups(codes, torch.full((6, 2), 0.25), zero, 4, 32)
    found = solve(weight, correlated(6, 64)[1])
    assert found.error < 1e-10
    assert torch.equal(found.groups.codes, codes)


def test_what_layers_see_is_counted_for_shared_tables_and_convolutions_too(decoder: nn.Module, tokens: Tensor) -> None:
    seen = watch(decoder, [tokens]).layers
    words = seen["model.embed_tokens"]
    assert words.looked_up
    with torch.no_grad():
        hidden = decoder.hidden(tokens).flatten(0, 1)  # type: ignore[operator]  # a method of decoders
    torch.testing.assert_close(words.moments, hidden.T @ hidden / len(hidden), rtol=1e-3, atol=1e-4)
    x = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    patches = nn.functional.unfold(x, 3, padding=1, stride=2).transpose(1, 2).flatten(0, 1)
    convolution = watch(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)), [x]).layers["0"]
    torch.testing.assert_close(convolution.moments, patches.T @ patches / len(patches))


def test_keeping_every_layer_is_the_identity(decoder: nn.Module, tokens: Tensor) -> None:
    names = [name for name, layer in decoder.named_modules() if isinstance(layer, nn.Linear | nn.Embedding)]
    same = quantize_int4(decoder, [tokens], kept=names)
    assert set(same.kept) == set(names)
    with torch.no_grad():
        assert torch.equal(same.module(tokens), decoder(tokens))


def test_the_file_of_a_decoder_computes_what_was_simulated_and_keeps_its_words_once(
    decoder: nn.Module, tokens: Tensor
) -> None:
    small = quantize_int4(decoder, [tokens])
    content = written(small.module, tokens[:2], free_length=True)
    with torch.no_grad():
        simulated, true = small.module(tokens), decoder(tokens)
    found = torch.from_numpy(Session(content).run(tokens.numpy()))
    assert relative_error(found, simulated) < 0.02
    assert relative_error(simulated, true) < 0.25  # random weights are the hardest
    # Texts of other lengths, down to one token.
    assert Session(content).run(tokens[:1, :1].numpy()).shape == (1, 1, LM["vocab_size"])
    model = onnx.load_from_string(content)
    used = Counter(node.op_type for node in model.graph.node)
    assert used["MatMulNBits"] == len(small.layers) == 8  # seven products of the layer, and the words' scores
    assert used["GatherBlockQuantized"] == 1
    assert not any(list(item.dims) == [96, 64] for item in model.graph.initializer)
    assert sum(list(item.dims) == [96, 2, 16] for item in model.graph.initializer) == 3  # words, gate and up
    assert {"", "com.microsoft"} == {item.domain for item in model.opset_import}
    before = sum(layer.bytes_before for layer in small.layers.values())
    assert sum(layer.bytes_after for layer in small.layers.values()) < 0.17 * before
    assert len(content) < 0.4 * len(plain(decoder, tokens[:2], free_length=True))


def test_a_weight_that_is_read_in_other_ways_goes_through_blocks() -> None:
    class Sliced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(64, 48)
            self.dense = nn.Linear(48, 40)

        def forward(self, x: Tensor) -> Tensor:
            read: Tensor = self.dense(self.words(x)) @ self.dense.weight + self.words.weight[: x.shape[1]]
            return read

    torch.manual_seed(0)
    module, x = Sliced(), torch.randint(0, 64, (8, 6))
    small = quantize_int4(module, [x], group=16)
    content = written(small.module, x[:2])
    with torch.no_grad():
        assert relative_error(torch.from_numpy(Session(content).run(x.numpy())), small.module(x)) < 0.02
    blocks = [node for node in onnx.load_from_string(content).graph.node if node.op_type == "DequantizeLinear"]
    assert len(blocks) == 2


@pytest.mark.parametrize("columns", [33, 40, 96])
def test_columns_that_do_not_fill_a_group_are_allowed(columns: int) -> None:
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(columns, 64), nn.Tanh()), torch.randn(32, columns)
    small = quantize_int4(module, [x])
    content = written(small.module, x[:2])
    assert relative_error(torch.from_numpy(Session(content).run(x.numpy())), small.module(x).detach()) < 0.03


@pytest.mark.parametrize("columns", [33, 40, 96])
def test_rows_that_do_not_fill_a_group_are_read_from_a_table(columns: int) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(24, columns), nn.Linear(columns, 3)).eval()
    tokens = torch.randint(24, (8, 5))
    small = quantize_int4(module, [tokens]).module
    content = written(small, tokens[:2])
    assert any(node.op_type == "GatherBlockQuantized" for node in onnx.load_from_string(content).graph.node)
    with torch.inference_mode():
        expected = small(tokens)
    torch.testing.assert_close(
        torch.from_numpy(Session(content, 1).run(tokens.numpy())), expected, atol=0.02, rtol=0.02
    )


def test_a_network_without_linear_layers_says_what_suits_it() -> None:
    with pytest.raises(UserError, match="no linear layer or table") as caught:
        quantize_int4(nn.Sequential(nn.Conv2d(3, 4, 3)), [torch.zeros(2, 3, 8, 8)])
    assert "INT8" in str(caught.value.hint)


def test_no_examples_is_an_error_and_so_is_a_strange_group(decoder: nn.Module) -> None:
    with pytest.raises(UserError, match="no examples"):
        quantize_int4(decoder, [torch.zeros(0, 4, dtype=torch.int64)])
    with pytest.raises(UserError, match="not 20"):
        quantize_int4(decoder, [torch.zeros(2, 4, dtype=torch.int64)], group=20)
