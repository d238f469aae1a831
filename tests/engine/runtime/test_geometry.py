"""Images of another shape than a network takes: fitted, coloured and resized by what the model itself says."""

import io

import numpy as np
import torch
from PIL import Image

from engine.runtime.examples import of_images
from engine.runtime.images import decode
from engine.runtime.modelspec import ModelSpec

SPEC = ModelSpec(
    architecture="vit",
    preprocessing=[
        {"op": "fit", "how": "crop", "keep": 0.5},
        {"op": "colour", "channels": 3},
        {"op": "resize", "size": [16, 16]},
        {"op": "scale", "by": 255.0},
        {"op": "normalise", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    ],
)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_small_grey_images_reach_the_network_large_and_in_three_channels():
    raw = torch.full((5, 1, 8, 8), 255, dtype=torch.uint8)
    examples = of_images(raw, (1, 8, 8), SPEC, torch.device("cpu"))
    assert examples.network_shape == (3, 16, 16)
    batch = examples.batch(torch.tensor([0, 4]))
    assert batch.shape == (2, 3, 16, 16)
    torch.testing.assert_close(batch, torch.ones(2, 3, 16, 16))
    torch.testing.assert_close(examples.as_floats().batch(torch.tensor([0, 4])), batch)


def test_a_file_keeps_the_middle_when_the_model_says_so():
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[25:75, 125:175] = 255  # the middle half of the middle square
    cropped = decode(png(wide), (3, 10, 10), "wide.png", SPEC.preprocessing)
    assert cropped.min() > 190  # Pillow looks a little over the edge
    stretched = decode(png(wide), (3, 10, 10), "wide.png")
    assert stretched.min() == 0
    padded = decode(png(np.full((50, 100, 3), 255, np.uint8)), (3, 10, 10), "w.png", [{"op": "fit", "how": "pad"}])
    assert padded[:, 0].max() == 0
    assert padded[:, 5].min() == 255


def test_a_file_is_fitted_as_the_photos_were_that_the_model_learned_from(tmp_path):
    from engine.datasets import image_files

    generator = np.random.default_rng(0)
    photo = png(generator.integers(0, 255, (90, 140, 3), dtype=np.uint8))
    for how in ("crop", "pad", "stretch"):
        learned = image_files.decode(photo, (24, 24), how, "rgb")
        asked = decode(photo, (3, 24, 24), "photo.png", [{"op": "fit", "how": how}])
        # Pillow may halve a picture first when it stretches: a rounding apart.
        assert np.abs(learned.astype(int) - asked.astype(int)).max() <= (12 if how == "stretch" else 0)
