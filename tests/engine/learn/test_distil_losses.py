"""What a distilled loss is, against small re-implementations with loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from engine.learn.distil.layers import Watch, attention_projections, hidden_layers, matched
from engine.learn.distil.losses import hidden_difference, map_difference, relation_difference, softened
from engine.models import build

GENERATOR = torch.Generator().manual_seed(0)


def draw(*sides):
    return torch.randn(*sides, generator=GENERATOR)


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def divergence(true, found):
    return sum(p * math.log(p / q) for p, q in zip(true, found, strict=True))


def test_soft_answers_are_compared_as_hinton_wrote_it():
    student, teacher = draw(5, 4), draw(5, 4)
    rows = [
        divergence(softmax([v / 3 for v in t]), softmax([v / 3 for v in s]))
        for s, t in zip(student.tolist(), teacher.tolist(), strict=True)
    ]
    assert float(softened(student, teacher, 3.0)) == pytest.approx(9 * sum(rows) / 5, rel=1e-5)


def test_the_size_of_the_gradient_does_not_fall_with_the_temperature():
    student, teacher = draw(64, 10), draw(64, 10)
    sizes = []
    for temperature in (4.0, 16.0):
        x = student.clone().requires_grad_()
        softened(x, teacher, temperature).backward()
        sizes.append(float(x.grad.norm()))
    assert 0.8 < sizes[0] / sizes[1] < 1.6


def test_layers_of_one_width_are_compared_by_their_values():
    student, teacher = draw(3, 5), draw(3, 5)
    wanted = ((student - teacher) ** 2).mean() / teacher.var(unbiased=False)
    assert float(hidden_difference(student, teacher)) == pytest.approx(float(wanted), rel=1e-5)


def test_layers_of_two_widths_are_compared_by_the_cosines_of_all_pairs():
    student, teacher = draw(4, 3), draw(4, 7)

    def cosines(x):
        rows = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
        return rows @ rows.T

    wanted = ((cosines(student) - cosines(teacher)) ** 2).mean() / cosines(teacher).var()
    assert float(hidden_difference(student, teacher)) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("width", [6, 8])
def test_padding_is_not_compared(width):
    student, teacher = draw(2, 4, 6), draw(2, 4, width)
    real = torch.tensor([[True, True, True, False], [True, True, False, False]])
    found = hidden_difference(student, teacher, real, real)
    moved = torch.where(real[:, :, None], student, student + 5)
    assert float(hidden_difference(moved, teacher, real, real)) == pytest.approx(float(found), rel=1e-4)
    assert float(relation_difference(moved, teacher, real)) == pytest.approx(
        float(relation_difference(student, teacher, real)), rel=1e-4
    )


def test_texts_of_different_lengths_are_compared_as_a_whole():
    student, teacher = draw(3, 4, 6), draw(3, 9, 6)
    assert float(hidden_difference(student, teacher)) == pytest.approx(
        float(hidden_difference(student.mean(1), torch.cat([teacher, teacher], 2).mean(1))), rel=1e-4
    )


def test_relations_are_compared_as_minilm_has_it():
    student, teacher = draw(1, 3, 4), draw(1, 3, 8)  # four heads: of width 1 and of width 2
    total = []
    for head in range(4):
        for row in range(3):

            def shares(x, width, head=head, row=row):
                part = x[0, :, head * width : (head + 1) * width].tolist()
                return softmax(
                    [sum(a * b for a, b in zip(part[row], other, strict=True)) / width**0.5 for other in part]
                )

            total.append(divergence(shares(teacher, 2), shares(student, 1)))
    assert float(relation_difference(student, teacher)) == pytest.approx(sum(total) / 12, rel=1e-4)


def test_maps_of_attention_are_compared_by_where_the_channels_are_strong():
    student, teacher = draw(2, 3, 4, 4), draw(2, 5, 8, 8)

    def weights(x, sides):
        squares = (x.numpy() ** 2).mean(1)
        size = squares.shape[1] // sides
        squares = squares.reshape(2, sides, size, sides, size).mean((2, 4)).reshape(2, -1)
        return squares / np.linalg.norm(squares, axis=1, keepdims=True)

    wanted = ((weights(student, 4) - weights(teacher, 4)) ** 2).sum(1).mean()
    assert float(map_difference(student, teacher)) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1e-30])
def test_a_layer_that_puts_out_nothing_has_a_gradient(scale):
    x = (draw(2, 3, 4) * scale).requires_grad_()
    (hidden_difference(x, draw(2, 3, 5)) + relation_difference(x, draw(2, 3, 8))).backward()
    assert bool(torch.isfinite(x.grad).all())


IMAGES = {"in_channels": 3, "num_classes": 4}
TOKENS = {"vocab_size": 20, "pad_id": 0, "max_length": 8, "hidden_size": 8, "heads": 2, "intermediate_size": 8}
ZOO = {
    "resnet18": ({**IMAGES}, 4),
    "convnet": ({**IMAGES, "widths": [4, 8]}, 2),
    "speednet": ({**IMAGES, "widths": [4, 8]}, 2),
    "efficientnet_lite0": ({**IMAGES}, 16),
    "vit": ({**IMAGES, "image_size": [8, 8], "patch_size": 4, "layers": 3, "hidden_size": 8, "heads": 2}, 3),
    "mlp": ({"in_features": 4, "num_classes": 2, "hidden": [5, 6]}, 2),
    "tabular_resnet": ({"in_features": 4, "num_classes": 2}, None),
    "bert": ({**TOKENS, "task": "classification", "num_classes": 2, "layers": 3}, 3),
    "transformer_lm": ({**TOKENS, "layers": 3}, 3),
    "moe_lm": ({**TOKENS, "layers": 2}, 2),
}


@pytest.mark.parametrize("name", sorted(ZOO))
def test_every_network_of_the_zoo_has_hidden_layers_that_are_called(name):
    config, count = ZOO[name]
    module = build(name, config).eval()
    names = hidden_layers(module)
    assert len(names) == count if count else len(names) > 1
    tokens, images = torch.randint(1, 20, (2, 8)), torch.zeros(2, 3, 8, 8)
    inputs = tokens if "vocab_size" in config else torch.zeros(2, 4) if "in_features" in config else images
    watch = Watch(module, names)
    with torch.no_grad(), watch.looking():
        module(inputs)
    assert list(watch.values) == names
    assert bool(attention_projections(module)) == (name in ("vit", "bert", "transformer_lm", "moe_lm"))


def test_nothing_is_left_on_a_network_that_was_looked_at():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with Watch(module, ["0"]).looking():
        assert module[0]._forward_hooks
    assert not module[0]._forward_hooks


def test_a_deep_and_a_shallow_network_are_matched_at_the_same_depths():
    deep, shallow = [str(n) for n in range(12)], ["a", "b", "c"]
    assert matched(shallow, deep) == [("a", "3"), ("b", "7"), ("c", "11")]
    assert matched(deep, shallow) == [("3", "a"), ("7", "b"), ("11", "c")]
