"""Arrays of a person's own, brought into the forms that files have."""

import io

import numpy as np
import pytest

from deepseek import arrays
from deepseek.errors import UsageError


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 8, 8), (5, 1, 8, 8)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 8, 9, 4), (5, 3, 8, 9)),
    ],
)
def test_every_usual_order_of_axes_becomes_nchw(shape, expected):
    assert arrays.to_pixels(np.zeros(shape, np.uint8)).shape == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 1.0]), [0, 255]),
        (np.array([0, 200], np.int64), [0, 200]),
        (np.array([0.0, 200.0]), [0, 200]),
        (np.array([False, True]), [0, 255]),
    ],
)
def test_every_usual_range_of_pixels_becomes_bytes(values, expected):
    pixels = arrays.to_pixels(np.broadcast_to(values[:, None, None], (2, 4, 4)))
    assert pixels.dtype == np.uint8
    assert pixels[:, 0, 0, 0].tolist() == expected


def test_normalised_pixels_are_refused_with_what_to_do():
    with pytest.raises(UsageError, match=r"from -1\.5 to 2.*Undo the normalisation"):
        arrays.to_pixels(np.linspace(-1.5, 2, 32).reshape(2, 4, 4))


def test_a_wrong_shape_is_named():
    with pytest.raises(UsageError, match=r"\(3, 4\)"):
        arrays.to_pixels(np.zeros((3, 4)))


def test_labels_may_be_words_or_numbers():
    assert arrays.to_classes(np.array(["b", "a"]), None)[1] == ["a", "b"]
    assert arrays.to_classes(np.array([0, 2]), None)[1] == ["0", "1", "2"]
    assert arrays.to_classes(np.array([[1], [0]]), ["no", "yes"])[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [([0, 2], ["a", "b"], "up to 2 and 2 names"), ([-1, 0], None, "one is -1"), (["c"], ["a", "b"], "'c' is none")],
)
def test_labels_that_do_not_fit_the_classes_are_named(labels, classes, message):
    with pytest.raises(UsageError, match=message):
        arrays.to_classes(np.array(labels), classes)


def test_the_same_arrays_give_the_same_bytes_and_need_no_pickle():
    images, labels = np.zeros((2, 4, 4), np.uint8), np.array(["a", "b"])
    packed = arrays.pack_images(images, labels, None)
    assert packed == arrays.pack_images(images, labels, None)
    read = np.load(io.BytesIO(packed), allow_pickle=False)
    assert read["classes"].tolist() == ["a", "b"]
    assert read["labels"].tolist() == [0, 1]


def test_a_torch_data_set_is_read_pair_by_pair():
    images, labels = arrays.read_torch([(np.zeros((1, 2, 2)), 1), (np.ones((1, 2, 2)), np.int64(0))])
    assert images.shape == (2, 1, 2, 2)
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "empty"),
        ([np.zeros(3)], "pair"),
        ([(np.zeros((1, 2, 2)), 0), (np.zeros((1, 3, 3)), 0)], "different shapes"),
        (iter([]), "no length"),
    ],
)
def test_a_torch_data_set_that_cannot_be_used_says_why(items, message):
    with pytest.raises(UsageError, match=message):
        arrays.read_torch(items)
