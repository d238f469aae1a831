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
    FrontRef,
    ImagesRef,
    MetricsRef,
    ModelRef,
    PredictionsRef,
    Ref,
    TableRef,
    TextRef,
    canonical_json,
)
from engine.datasets import open_texts, write_images, write_table, write_texts
from engine.datasets.texts import TOKENIZER
from engine.models import build, complete
from engine.runtime.examples import describe
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec, Target
from engine.text import packed, padded, train_tokenizer

CLASSES = ["left", "middle", "right"]
COUNT = 24
FROM_TRAINED = ("train.transfer", "train.finetune")
LANGUAGE = ("train.language_model", "evaluate.language_model", "predict.generate")
DECODER = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32}
NARROW = {"latent_size": 4, "widths": [8]}
VERSE = "the cat sat on the mat and the dog sat by the door while the rain fell on the roof"


def sample(kind: str, store: ArtifactStore, *, block: str = "", port: str = "") -> Ref:
    """An artifact of a kind, put into a store.

    Parameters
    ----------
    kind
        Kind of the port, such as ``"dataset"``.
    block, port
        Who asks. ``train.*`` gets an untrained model; blocks named ``*.regressor`` get a table and a model for it,
        those of language models a corpus.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> sample("dataset", ArtifactStore(pathlib.Path(tempfile.mkdtemp()))).kind
    'images'
    """
    if block.endswith(".regressor"):
        return _regression(kind, store, block)
    if block.endswith(".autoencoder") and kind == "model":
        return _autoencoder(store, block)
    if block in LANGUAGE:
        return _language(kind, store, block)
    if kind == "model" and port == "student":
        return untrained(store)
    if kind == "model" and block == "train.autoencoder":
        return save_model(store, ModelSpec(architecture="autoencoder", config={"widths": [4], "latent_size": 4}))
    if kind == "model" and block.startswith("train.") and block not in FROM_TRAINED:
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


def texts(store: ArtifactStore) -> TextRef:
    """24 short texts of three classes, in 12 tokens each."""
    numbers = np.arange(COUNT) % len(CLASSES)
    written = [f"number {place} goes to the {CLASSES[number]}" for place, number in enumerate(numbers)]
    tokenizer = train_tokenizer(written, kind="wordpiece", size=120)
    return write_texts(
        store, padded(tokenizer, written, 12).tokens, tokenizer, task="classification", name="places", texts=written,
        labels=numbers, classes=CLASSES,
    )  # fmt: skip


def corpus(store: ArtifactStore) -> TextRef:
    """A sentence again and again, in blocks of 8 tokens."""
    tokenizer = train_tokenizer([VERSE] * 4, kind="bpe", size=300)
    return write_texts(
        store, packed(tokenizer, [VERSE] * 12, 8), tokenizer, task="language_model", name="verse"
    )  # fmt: skip


def language_model(store: ArtifactStore) -> ModelRef:
    """A decoder with fixed weights that fits the sample corpus."""
    ref = corpus(store)
    wanted = describe(ref)
    facts = {**wanted.facts, "task": "language_model"}
    config = complete("transformer_lm", DECODER, "tokens", wanted.shape, wanted.facts["vocab_size"], facts)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = build("transformer_lm", config)
    spec = ModelSpec(
        architecture="transformer_lm", config=config, task="language_model", input=wanted.input,
        preprocessing=wanted.preprocessing,
    )  # fmt: skip
    return save_model(store, spec, module.state_dict(), files={TOKENIZER: open_texts(ref).tokenizer.content})


def _autoencoder(store: ArtifactStore, block: str) -> ModelRef:
    fresh = ModelSpec(architecture="autoencoder", config=NARROW)
    if not block.startswith("evaluate."):
        return save_model(store, fresh)
    wanted = describe(images(store))
    config = complete("autoencoder", NARROW, "images", wanted.shape, 1)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        module = build("autoencoder", config)
    known = {"task": "reconstruction", "input": wanted.input, "preprocessing": wanted.preprocessing}
    return save_model(store, fresh.model_copy(update={"config": config, **known}), module.state_dict())


def _language(kind: str, store: ArtifactStore, block: str) -> Ref:
    if kind == "model":
        fresh = ModelSpec(architecture="transformer_lm", config=DECODER)
        return save_model(store, fresh) if block.startswith("train.") else language_model(store)
    return corpus(store)


def _predictions(store: ArtifactStore) -> PredictionsRef:
    rows = [{"index": 0, "label": "left", "predicted": "left", "probability": 0.9}]
    return store.put(PredictionsRef, files={"predictions.json": canonical_json(rows)}, meta={"count": 1})


_MAKERS: dict[str, Callable[[ArtifactStore], Ref]] = {
    "dataset": images,
    "images": images,
    "table": table,
    "text": texts,
    "model": lambda store: trained(store, images(store)),
    "metrics": lambda store: store.put(MetricsRef, files={"metrics.json": b'{"accuracy":0.5}'}),
    "figure": lambda store: store.put(FigureRef, files={"figure.json": b'{"data":[],"layout":{}}'}),
    "front": lambda store: store.put(FrontRef, files={"front.json": b"[]"}),
    "predictions": _predictions,
    "file": lambda store: store.put(FileRef, files={"content": b"a,b\n1,2\n"}, meta={"filename": "sample.csv"}),
    "artifact": lambda store: store.put(Ref, files={"note.txt": b"sample"}),
}
