"""Augmentation on whole batches: shapes, ranges, randomness per image."""

import pytest
import torch

from engine.errors import UserError
from engine.learn.data import augment
from engine.learn.data.augment import make_augmentation
from engine.learn.optim.schedules import factor

OPERATIONS = ["flip", "crop", "rotate", "erase", "brightness", "contrast"]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def batch(count=16):
    return torch.randint(0, 255, (count, 3, 12, 10), dtype=torch.uint8)


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_keeps_shape_and_type_and_leaves_its_input_alone(op):
    images = batch()
    before = images.clone()
    changed = make_augmentation([{"op": op}])(images)
    assert changed.shape == images.shape
    assert changed.dtype == torch.uint8
    assert torch.equal(images, before)
    assert not torch.equal(changed, images)


@pytest.mark.parametrize("op", OPERATIONS)
def test_the_same_generator_state_gives_the_same_images(op):
    images, function = batch(), make_augmentation([{"op": op}])
    state = torch.get_rng_state()
    first = function(images)
    torch.set_rng_state(state)
    assert torch.equal(function(images), first)


def test_a_crop_is_a_shift_by_at_most_the_padding():
    images = torch.zeros(64, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 200
    moved = augment.crop(images, padding=2)
    places = moved.flatten(1).argmax(1)
    assert (moved.flatten(1).sum(1) == 200).all()
    assert {int(p) // 9 for p in places} == {2, 3, 4, 5, 6} == {int(p) % 9 for p in places}


def test_about_half_of_the_images_are_mirrored():
    images = torch.zeros(400, 1, 1, 2, dtype=torch.uint8)
    images[..., 0] = 1
    mirrored = augment.flip(images)[:, 0, 0, 1].sum()
    assert 150 < int(mirrored) < 250


def test_a_flip_in_turn_shows_every_image_both_ways_in_two_epochs():
    images = torch.zeros(400, 1, 1, 2, dtype=torch.uint8)
    images[..., 0] = 1
    turn = make_augmentation([{"op": "flip"}]).alternating()
    rows = torch.randperm(400)
    first, second, third = (turn(images, rows, epoch)[:, 0, 0, 0].int() for epoch in range(3))
    assert (first + second == 1).all()
    assert torch.equal(first, third)
    assert 150 < int(first.sum()) < 250
    in_order = turn(images, torch.arange(400), 0)[:, 0, 0, 0]
    assert torch.equal(in_order[rows], first.to(torch.uint8))  # by the example, not by its place in the batch
    assert 60 < int(in_order[::3].sum()) < 75  # no matter which third


def test_no_turn_changes_nothing_and_a_square_hides_part_of_the_image():
    images = batch()
    assert torch.equal(augment.rotate(images, degrees=0.0), images)
    erased = augment.erase(torch.full((8, 1, 12, 12), 7, dtype=torch.uint8), size=4)
    assert (erased == 7).all()  # its mean is its only colour
    assert (augment.erase(images, size=4) != images).flatten(1).sum(1).max() <= 3 * 16


def test_an_unknown_operation_is_named_with_those_that_exist():
    with pytest.raises(UserError, match="melt") as caught:
        make_augmentation([{"op": "melt"}])
    assert "flip" in caught.value.hint
    assert make_augmentation([]) is None


@pytest.mark.parametrize("name", ["one_cycle", "cosine", "linear", "constant"])
@pytest.mark.parametrize("total", [1, 2, 3, 100])
@pytest.mark.parametrize("warm_up", [0.0, 0.2, 1.0])
def test_a_schedule_stays_between_0_and_1_for_any_length(name, total, warm_up):
    values = [factor(name, step, total, warm_up) for step in range(total)]
    assert all(0 <= value <= 1 for value in values)
    assert max(values) > 0


@pytest.mark.parametrize("name", ["one_cycle", "cosine", "linear", "constant"])
def test_the_rate_rises_for_as_long_as_the_warm_up_says_and_never_again(name):
    values = [factor(name, step, 101, warm_up=0.2) for step in range(101)]
    peak = values.index(max(values))
    assert 18 <= peak <= 20
    assert values[peak] == 1.0
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)
