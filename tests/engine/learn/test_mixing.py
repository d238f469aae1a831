"""Mixup and CutMix: inputs and targets are mixed by the same share."""

import pytest
import torch
from torch import nn

from engine.compute import applied
from engine.errors import UserError
from engine.learn import TrainingData, TrainingOptions, train
from engine.learn.data.mixing import blend, cut_and_paste, make_mixing
from engine.runtime.examples import Examples
from engine.spec import ExecutionPlan
from tests.engine.contexts import Recorder


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def coded(count=8, side=8):
    """Images whose every pixel is their own number."""
    targets = torch.arange(count)
    return targets.float().reshape(count, 1, 1, 1).expand(count, 2, side, side).contiguous(), targets


def test_mixup_mixes_each_example_with_the_one_whose_target_it_gets():
    for _ in range(20):
        inputs, targets = coded()
        mixed, others, share = blend(inputs, targets, 1.0)
        assert sorted(others.tolist()) == targets.tolist()
        expected = share * targets + (1 - share) * others
        assert torch.allclose(mixed[:, 0, 0, 0], expected, atol=1e-5)
        assert torch.equal(mixed[:, 1, 7, 7], mixed[:, 0, 0, 0])


def test_cutmix_pastes_a_rectangle_and_the_share_is_what_is_left():
    areas = []
    for _ in range(40):
        inputs, targets = coded()
        mixed, others, share = cut_and_paste(inputs, targets, 1.0)
        for own, other, image in zip(targets.tolist(), others.tolist(), mixed, strict=True):
            pasted = image[0] == other
            kept = image[0] == own
            assert bool((pasted | kept).all())
            if own != other:
                assert float(kept.float().mean()) == pytest.approx(float(share), abs=1e-6)
                rows, columns = pasted.any(1), pasted.any(0)
                assert torch.equal(pasted, rows[:, None] & columns[None, :])
        areas.append(float(share))
    assert min(areas) < 0.5 < 0.9 < max(areas)


def test_the_loss_of_a_mixture_is_that_of_mixed_targets():
    logits, targets, others = torch.randn(6, 4), torch.randint(0, 4, (6,)), torch.randint(0, 4, (6,))
    share = torch.tensor(0.3)
    soft = share * nn.functional.one_hot(targets, 4) + (1 - share) * nn.functional.one_hot(others, 4)
    by_hand = nn.functional.cross_entropy(logits, soft, label_smoothing=0.1)
    ours = torch.lerp(
        nn.functional.cross_entropy(logits, others, label_smoothing=0.1),
        nn.functional.cross_entropy(logits, targets, label_smoothing=0.1),
        share,
    )
    assert float(ours) == pytest.approx(float(by_hand), rel=1e-5)


def test_with_both_each_batch_takes_one_of_them():
    mix = make_mixing(1.0, 1.0)
    kinds = set()
    for _ in range(30):
        inputs, targets = coded()
        mixed = mix(inputs, targets).inputs
        kinds.add(all(len(image.unique()) == 1 for image in mixed))
    assert kinds == {True, False}


def test_the_share_follows_its_distribution():
    shares = torch.tensor([float(blend(*coded(), 0.2).share) for _ in range(400)])
    assert 0.4 < float(shares.mean()) < 0.6
    assert float(((shares < 0.1) | (shares > 0.9)).float().mean()) > 0.5  # Beta(0.2, 0.2) is mostly near 0 and 1


def test_cutmix_on_rows_of_a_table_is_refused_in_words():
    with pytest.raises(UserError, match="CutMix is for images"):
        make_mixing(0.0, 1.0)(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))


def test_a_network_learns_from_mixtures_and_accuracy_counts_the_first_target(tmp_path):
    targets = torch.arange(120) % 3
    x = 3 * torch.eye(4)[:3][targets] + torch.randn(120, 4)
    options = TrainingOptions(epochs=20, batch_size=20, learning_rate=0.02, mixup=0.4)
    with applied(ExecutionPlan(threads=1), 0):
        module = nn.Linear(4, 3)
        result = train(module, TrainingData(Examples(x), targets), options, Recorder(tmp_path))
    with torch.inference_mode():
        assert float((module(x).argmax(1) == targets).float().mean()) > 0.9
    assert 0.4 < result.metrics["train_accuracy"] < 0.9
