"""A small sample of every kind of artifact, for the tests and the documentation of blocks.

Called by the conformance test, by tests of blocks (also those of other packages), never by a run. The samples are tiny
and always the same. For a port that needs something special, the choice is made here, by block and port.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from engine.artifacts import (
    ArtifactStore,
    FigureRef,
    FileRef,
    ImagesRef,
    MetricsRef,
    ModelRef,
    PredictionsRef,
    Ref,
    TableRef,
    canonical_json,
)
from engine.datasets import write_images, write_table
from engine.models import build, complete
from engine.runtime.examples import describe
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec, Target

CLASSES = ["left", "middle", "right"]
COUNT = 24


def sample(kind: str, store: ArtifactStore, *, block: str = "", port: str = "") -> Ref:
    """An artifact of a kind, put into a store.

    Parameters
    ----------
    kind
        Kind of the port, such as ``"dataset"``.
    block, port
        Who asks. ``train.*`` gets an untrained model; blocks named ``*.regressor`` get a table and a model for it.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> sample("dataset", ArtifactStore(pathlib.Path(tempfile.mkdtemp()))).kind
    'images'
    """
    if block.endswith(".regressor"):
        return _regression(kind, store, block)
    if kind == "model" and block.startswith("train."):
        return untrained(store)
    return _MAKERS[kind](store)


def images(store: ArtifactStore) -> ImagesRef:
    """24 grey images of 8 x 8 pixels: a bright column at the left, in the middle or at the right."""
    generator = np.random.default_rng(0)
    labels = np.arange(COUNT) % len(CLASSES)
    pixels = generator.integers(0, 60, (COUNT, 1, 8, 8), dtype=np.uint8)
    for number, label in enumerate(labels):
        pixels[number, 0, :, 1 + 3 * label] = 220
    return write_images(store, pixels, labels, CLASSES, name="columns")


def table(store: ArtifactStore, task: str = "classification") -> TableRef:
    """24 rows with two numbers, a category and a target."""
    generator = np.random.default_rng(0)
    kinds = np.arange(COUNT) % len(CLASSES)
    width = kinds + generator.normal(0, 0.1, COUNT)
    height = generator.normal(0, 1, COUNT)
    rows: dict[str, Any] = {"width": width, "height": height, "colour": ["red", "green"] * (COUNT // 2)}
    types = {"width": "number", "height": "number", "colour": "category"}
    classes: list[str] | None = None
    if task == "classification":
        rows["place"], classes, target, types["place"] = [CLASSES[k] for k in kinds], CLASSES, "place", "category"
    else:
        rows["price"], target, types["price"] = 3 * width - height, "price", "number"
    content = pa.table(rows)
    columns = [
        {"name": name, "type": types[name], "missing": 0, "unique": len(set(content.column(name).to_pylist()))}
        for name in content.column_names
    ]
    return write_table(store, content, columns, name="sample", target=target, task=task, classes=classes)


def untrained(store: ArtifactStore) -> ModelRef:
    """A perceptron that does not know its data yet."""
    return save_model(store, ModelSpec(architecture="mlp", config={"hidden": [8]}))


def trained(store: ArtifactStore, dataset: ImagesRef | TableRef, *, task: str = "classification") -> ModelRef:
    """A perceptron with fixed weights that fits a sample data set."""
    wanted = describe(dataset)
    regression = task == "regression"
    outputs = 1 if regression else len(wanted.classes or [])
    config = complete("mlp", {"hidden": [8]}, dataset.kind, wanted.shape, outputs)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = build("mlp", config)
    return save_model(
        store,
        ModelSpec(
            architecture="mlp",
            config=config,
            task="regression" if regression else "classification",
            input=wanted.input,
            preprocessing=wanted.preprocessing,
            labels=None if regression else wanted.classes,
            target=Target(name=str(wanted.target), mean=0.0, std=1.0) if regression else None,
        ),
        module.state_dict(),
    )


def _regression(kind: str, store: ArtifactStore, block: str) -> Ref:
    if kind in ("dataset", "table"):
        return table(store, "regression")
    if kind == "model":
        return untrained(store) if block.startswith("train.") else trained(
            store, table(store, "regression"), task="regression"
        )  # fmt: skip
    return _MAKERS[kind](store)


def _predictions(store: ArtifactStore) -> PredictionsRef:
    rows = [{"index": 0, "label": "left", "predicted": "left", "probability": 0.9}]
    return store.put(PredictionsRef, files={"predictions.json": canonical_json(rows)}, meta={"count": 1})


_MAKERS: dict[str, Callable[[ArtifactStore], Ref]] = {
    "dataset": images,
    "images": images,
    "table": table,
    "model": lambda store: trained(store, images(store)),
    "metrics": lambda store: store.put(MetricsRef, files={"metrics.json": b'{"accuracy":0.5}'}),
    "figure": lambda store: store.put(FigureRef, files={"figure.json": b'{"data":[],"layout":{}}'}),
    "predictions": _predictions,
    "file": lambda store: store.put(FileRef, files={"content": b"a,b\n1,2\n"}, meta={"filename": "sample.csv"}),
    "artifact": lambda store: store.put(Ref, files={"note.txt": b"sample"}),
}
