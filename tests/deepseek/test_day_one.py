"""The code of the first day, word for word, on a folder of 2,000 CIFAR-10 images.

The quick one trains on 64 of them and the slow one on 1,600; all ten epochs of ResNet-18 run. In full it is
benchmarks/day_one.py.
"""

import os
from pathlib import Path

import pytest

DAY_ONE = """\
from deepseek import Model, Dataset
dataset = Dataset.load("cifar10")
model = Model.create("resnet18", num_classes=10)
model.train(dataset, epochs=10, batch_size=32)
"""
SOURCE = Path(os.environ.get("CIFAR10") or Path(__file__).parents[2].parent / "shared/data/cifar10")
IMAGES = 2_000


def cifar_folder(folder, train_images):
    """Write `IMAGES` of the images as Parquet files, in the two parts of the original."""
    pq = pytest.importorskip("pyarrow.parquet")
    if not (SOURCE / "train.parquet").is_file():
        pytest.skip(f"CIFAR-10 is not in {SOURCE}; CIFAR10 names the folder with train.parquet and test.parquet")
    place = folder / "cifar10"
    place.mkdir()
    for part, count in (("train", train_images), ("test", IMAGES - train_images)):
        first = next(pq.ParquetFile(SOURCE / f"{part}.parquet").iter_batches(batch_size=count))
        pq.write_table(pq_table(first), place / f"{part}.parquet")
    return folder


def pq_table(batch):
    import pyarrow as pa

    return pa.Table.from_batches([batch])


@pytest.mark.parametrize(
    ("train_images", "reached"),
    [
        pytest.param(64, None, marks=pytest.mark.timeout(300)),
        pytest.param(1_600, 0.3, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)]),
    ],
)
@pytest.mark.usefixtures("one_cpu")
def test_the_code_of_the_first_day_runs_as_written(home, tmp_path, monkeypatch, capsys, train_images, reached):
    monkeypatch.setenv("DEEPSEEK_OFFLINE", "1")
    monkeypatch.setenv("DEEPSEEK_DATASETS", str(cifar_folder(tmp_path, train_images)))
    names = {}
    exec(compile(DAY_ONE, "day one", "exec"), names)
    model, dataset = names["model"], names["dataset"]
    assert "train" in capsys.readouterr().err  # progress was shown
    assert repr(dataset) == f"Dataset(cifar10, {train_images:,} images, 3 x 32 x 32, 10 classes)"
    images, labels = dataset.test.to_arrays()
    said = model.predict(images[:64]).labels
    right = sum(word == dataset.classes[label] for word, label in zip(said, labels, strict=False))
    assert len(said) == 64
    if reached is not None:  # 64 images teach nothing
        assert right / 64 >= reached
    saved = type(model).load(model.save(tmp_path / "model.zip"))
    assert saved.predict(images[:20]).labels == said[:20]
