"""A person's own data and modules are first-class."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from deepseek import Dataset, DeepSeekError, Model
from deepseek.errors import UsageError

QUICK = {"batch_size": 32, "device": "cpu", "threads": 1, "show": False}


@pytest.fixture(scope="module")
def frame(sdk):
    random = np.random.default_rng(0)
    a, b = random.normal(size=200), random.normal(size=200)
    return pd.DataFrame(
        {"a": a, "b": b, "colour": random.choice(["red", "blue"], 200), "kind": np.where(a > b, "x", "y")}
    )


class Net(nn.Module):
    """A person's own network."""

    def __init__(self, classes=2):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, classes))

    def forward(self, x):
        return self.layers(x)


def bright_or_dark(count=240):
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, count)
    images = (random.random((count, 8, 8)) * 0.3 + labels[:, None, None] * 0.6).astype(np.float32)
    return images, labels


def test_a_frame_is_learned_and_its_rows_are_asked(frame):
    dataset = Dataset.from_pandas(frame, target="kind")
    assert (dataset.kind, dataset.task, dataset.classes) == ("table", "classification", ["x", "y"])
    model = Model.create("mlp", hidden=[16])
    model.train(dataset, epochs=15, **QUICK)
    assert model.evaluate(dataset, show=False)["accuracy"] > 0.85
    assert model.predict({"a": 2.0, "b": -2.0, "colour": "red"}).labels == ["x"]
    assert model.predict(frame.drop(columns="kind").head(5)).labels == model.predict(frame.head(5)).labels
    assert len(dataset.to_pandas()) == 200


def test_a_number_is_predicted_as_a_number(frame):
    rows = frame[["a", "b"]].assign(total=2 * frame["a"] + frame["b"])
    dataset = Dataset.from_pandas(rows, target="total")
    assert dataset.task == "regression"
    model = Model.create("mlp", hidden=[16])
    model.train(dataset, epochs=20, **QUICK)
    assert model.evaluate(dataset, show=False)["r2"] > 0.8
    assert model.predict([{"a": 1.0, "b": 1.0}]).values[0] == pytest.approx(3, abs=1)


def test_a_csv_file_is_loaded_with_its_target(frame, tmp_path):
    path = tmp_path / "kinds.csv"
    frame.to_csv(path, index=False, sep=";")
    dataset = Dataset.load(path, target="kind")
    assert len(dataset) == 200
    assert dataset.classes == ["x", "y"]


def test_a_target_that_is_not_there_says_what_was_meant(frame, tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'kind'"):
        Dataset.from_pandas(frame, target="kid")


def test_arrays_of_images_are_learned_with_their_words(sdk):
    images, labels = bright_or_dark()
    dataset = Dataset.from_arrays(images, np.where(labels, "bright", "dark"))
    assert dataset.classes == ["bright", "dark"]
    model = Model.create("convnet", widths=[4])
    model.train(dataset, epochs=6, learning_rate=0.02, **QUICK)
    assert model.evaluate(dataset, show=False)["accuracy"] > 0.9
    assert model.predict(np.full((8, 8), 0.9)).labels == ["bright"]


def test_rows_of_numbers_make_a_table(sdk):
    dataset = Dataset.from_arrays(np.eye(20), np.arange(20) % 2, classes=["even", "odd"])
    assert (dataset.kind, dataset.classes) == ("table", ["even", "odd"])


def test_a_folder_and_a_zip_of_images_are_loaded(sdk, tmp_path):
    import shutil

    from PIL import Image

    images, labels = bright_or_dark(20)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = tmp_path / "own" / ("dark", "bright")[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255).astype(np.uint8)).save(place / f"{number}.png")
    archive = shutil.make_archive(str(tmp_path / "own"), "zip", tmp_path / "own")
    for source in (tmp_path / "own", archive):
        dataset = Dataset.load(source)
        assert len(dataset) == 20
        assert dataset.classes == ["bright", "dark"]


def test_a_wrapped_module_trains_is_saved_and_opened_with_its_code(sdk, tmp_path):
    images, labels = bright_or_dark()
    dataset = Dataset.from_torch(
        [(torch.from_numpy(i)[None], int(label)) for i, label in zip(images, labels, strict=True)]
    )
    torch.manual_seed(0)
    module = Net()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    model = Model.wrap(module)
    model.train(dataset, epochs=8, learning_rate=0.02, **QUICK)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert model.evaluate(dataset, show=False)["accuracy"] > 0.9
    path = model.save(tmp_path / "own.zip")
    opened = Model.load(path, module=Net())
    assert opened.predict(images).labels == model.predict(images).labels
    assert isinstance(opened.module, Net)


def test_two_wrapped_modules_of_one_class_do_not_meet(sdk):
    images, labels = bright_or_dark()
    dataset = Dataset.from_arrays(images, labels)
    small, wide = Model.wrap(Net()), Model.wrap(nn.Sequential(Net(4), nn.Linear(4, 2)))
    small.train(dataset, epochs=1, **QUICK)
    wide.train(dataset, epochs=1, **QUICK)
    assert small.artifact.digest != wide.artifact.digest
    assert len(small.predict(images)) == len(wide.predict(images)) == len(images)


def test_a_module_with_too_few_outputs_is_an_error_in_words(sdk):
    images, labels = bright_or_dark()
    dataset = Dataset.from_arrays(images, labels + 1)
    with pytest.raises(DeepSeekError):
        Model.wrap(Net()).train(dataset, epochs=1, **QUICK)


def test_a_table_without_a_target_is_not_trained_on(frame):
    dataset = Dataset.from_pandas(frame[["a", "b"]])
    if dataset.task is None:
        with pytest.raises(UsageError, match="which column"):
            Model.create("mlp").train(dataset, epochs=1, **QUICK)
