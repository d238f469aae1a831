"""The code of the first day, in full: ResNet-18 on CIFAR-10 for ten epochs.

    DEEPSEEK_DATASETS=../shared/data python benchmarks/day_one.py [--limit IMAGES] [--json FILE]

Long: ten epochs of ResNet-18 take more than an hour on two CPU cores. It runs the four lines of the guide as they stand
there, then judges the model on the published test images, saves it, opens it again and compares. The home folder is a
fresh one, so nothing comes from a cache. Without the data set in `DEEPSEEK_DATASETS` it is downloaded. `--limit` takes
only the first so many training images, and a fifth as many test images: a trial that says nothing about the accuracy
that the full run reaches.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

DAY_ONE = """\
from deepseek import Model, Dataset
dataset = Dataset.load("cifar10")
model = Model.create("resnet18", num_classes=10)
model.train(dataset, epochs=10, batch_size=32)
"""


def limited(count: int, folder: Path) -> Path:
    """A folder of data sets with the first images of CIFAR-10 only, from the Parquet files in DEEPSEEK_DATASETS."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = [Path(place) / "cifar10" for place in os.environ.get("DEEPSEEK_DATASETS", "").split(":") if place]
    source = next((place for place in places if (place / "train.parquet").is_file()), None)
    if source is None:
        raise SystemExit("--limit needs train.parquet and test.parquet in the folder cifar10 of DEEPSEEK_DATASETS")
    (folder / "cifar10").mkdir(parents=True)
    for part, images in (("train", count), ("test", max(100, count // 5))):
        first = next(pq.ParquetFile(source / f"{part}.parquet").iter_batches(batch_size=images))
        pq.write_table(pa.Table.from_batches([first]), folder / "cifar10" / f"{part}.parquet")
    return folder


def main() -> int:
    """Run it, print what came out, write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, help="train on so many images only")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DEEPSEEK_HOME"] = str(Path(folder) / "home")
        if arguments.limit:
            os.environ["DEEPSEEK_DATASETS"] = str(limited(arguments.limit, Path(folder) / "data"))
        names: dict[str, object] = {}
        started = time.perf_counter()
        exec(compile(DAY_ONE, "day one", "exec"), names)
        seconds = time.perf_counter() - started
        figures = _judge(names, Path(folder))
    figures["seconds"] = round(seconds, 1)
    for name, value in figures.items():
        print(f"{name:<20} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))
    return 0 if figures["same_after_saving"] else 1


def _judge(names: dict[str, object], folder: Path) -> dict[str, object]:
    from deepseek import Dataset, Model

    model, dataset = names["model"], names["dataset"]
    assert isinstance(model, Model)
    assert isinstance(dataset, Dataset)
    evaluation = model.evaluate(dataset)
    saved = Model.load(model.save(folder / "day-one.zip"))
    some = dataset.test.to_arrays()[0][:64]
    return {
        "accuracy": evaluation["accuracy"],
        "same_after_saving": saved.predict(some).labels == model.predict(some).labels,
        "plan": model.spec["provenance"]["plan"],
    }


if __name__ == "__main__":
    sys.exit(main())
