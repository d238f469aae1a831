"""The trained models that compression is measured on: each is made once, by one command, and kept.

    python -m benchmarks.compression.models [NAME ...] --cifar FOLDER [--threads N]
    python -m benchmarks.compression.models --list

digits     a convnet on scikit-learn's digits
resnet18   ResNet-18 with the stem for 32 pixels on CIFAR-10: six epochs at half the resolution, then
           three at 32 pixels, each part with a rate of its own that goes up and down once (progressive resizing)
resnet50   ResNet-50 with ImageNet's stem (7x7, stride 2, pooling) on the same images at 32 pixels
minilm     MiniLM's published weights, fine-tuned to tell which package a docstring is from
lm         a decoder of 5 M parameters on the source of Python's standard library

They lie in ``benchmarks/models`` under ``DEEPSEEK_HOME``: ``NAME.zip``, the bundle, and ``NAME.json`` with its accuracy
on the test part, how it was trained, for how long and with which versions. What is there is not made again; a training
that was stopped goes on from its last checkpoint. Everything random follows from seed 0. The test part is looked at
once, after training; a twentieth of the training part is not learned from, so that compression has something to choose
by.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepseek import Dataset, Model

ROOT = Path(__file__).parents[2]
SEED = 0
TEXT_TOKENS = 48
BLOCK_TOKENS = 128
LIBRARY_MB = 2.5
STAGES = {
    "resnet18": [
        {"side": 16, "epochs": 6, "learning_rate": 0.05, "batch_size": 128},
        {"side": 32, "epochs": 3, "learning_rate": 0.03, "batch_size": 128},
    ],
    "resnet50": [{"side": 32, "epochs": 3, "learning_rate": 0.05, "batch_size": 128}],
}

SGD = {"optimizer": "sgd", "schedule": "one_cycle", "warm_up": 0.2, "weight_decay": 5e-4, "label_smoothing": 0.1}


def folder() -> Path:
    """Where the models lie."""
    from engine.home import home

    place = home() / "benchmarks" / "models"
    place.mkdir(parents=True, exist_ok=True)
    return place


def has(name: str) -> bool:
    """True when a model is ready."""
    return (folder() / f"{name}.json").exists()


def load(name: str) -> tuple[Model, dict[str, Any]]:
    """A model that was made, and what is known of it."""
    from deepseek import Model

    if not has(name):
        raise SystemExit(f"{name} is not there yet: python -m benchmarks.compression.models {name} --cifar FOLDER")
    return Model.load(folder() / f"{name}.zip"), json.loads((folder() / f"{name}.json").read_text())


def load_stage(name: str, number: int) -> Model:
    """What one stage of a training in stages made."""
    from deepseek import Model

    return Model.load(folder() / f"{name}.stage{number}.zip")


def choosing(name: str, cifar: Path | None = None) -> Dataset:
    """What a model learns from (``train``), and what choices are made by (``test``): all of it for training."""
    return data(name, cifar).train.split(test=0.05, validation=0.0)


def data(name: str, cifar: Path | None = None) -> Dataset:
    """All there is to train with (``train``), and what a finished model is judged on (``test``)."""
    from deepseek import Dataset

    if name == "digits":
        return Dataset.load("digits", seed=SEED).split(test=0.4, validation=0.0)
    if name in STAGES:
        return Dataset.load("cifar10", seed=SEED, **({} if cifar is None else {"path": str(cifar.resolve())}))
    if name == "minilm":
        texts, labels = _docstrings()
        return Dataset.from_texts(texts, labels, seed=SEED, length=TEXT_TOKENS).split(test=0.27, validation=0.0)
    from benchmarks.compression.texts import library

    corpus = Dataset.from_texts(library(LIBRARY_MB), seed=SEED, length=BLOCK_TOKENS, vocabulary=4096)
    return corpus.split(test=0.1, validation=0.0, shuffle=False)  # the last files, none of which was learned from


def _docstrings() -> tuple[list[str], list[str]]:
    from benchmarks.compression.texts import docstrings, versions

    kept = folder() / "docstrings.json"
    if kept.exists():
        found = json.loads(kept.read_text())
        if found["versions"] == versions():
            return found["texts"], found["labels"]
    texts, labels = docstrings()
    kept.write_text(json.dumps({"versions": versions(), "texts": texts, "labels": labels}))
    return texts, labels


def digits(options: argparse.Namespace) -> tuple[Model, dict[str, Any]]:
    from deepseek import Model

    model, settings = Model.create("convnet"), {"epochs": 20}
    model.train(choosing("digits"), seed=SEED, threads=options.threads, show=options.show, **settings)
    return model, settings


def resnet(name: str, options: argparse.Namespace) -> tuple[Model, dict[str, Any]]:
    """Stages of growing images; what each stage made is kept too."""
    from deepseek import Model

    whole = choosing(name, options.cifar)
    model = Model.create(name, stem="small" if name == "resnet18" else "large")
    for number, stage in enumerate(STAGES[name]):
        kept = folder() / f"{name}.stage{number}.zip"
        if kept.exists():
            model = Model.load(kept)
            continue
        settings = {key: value for key, value in stage.items() if key != "side"}
        settings["epochs"] = _hurried(stage["epochs"], options)
        some = smaller(_enough(whole, stage["epochs"], options).train, stage["side"])
        model.train(
            some.augment(flip=True, crop=stage["side"] // 8), memory_format="channels_last", **SGD, **_common(options),
            **settings,
        )  # fmt: skip
        model.save(kept)
        about = {**stage, **settings, "images": len(some.train), "share": options.share}
        kept.with_suffix(".json").write_text(json.dumps(about))
    stages = [json.loads((folder() / f"{name}.stage{n}.json").read_text()) for n in range(len(STAGES[name]))]
    return model, {"stages": stages, **SGD, "augmentation": "flip, crop"}


def _common(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "precision": options.precision, "compile": "no", "seed": SEED, "threads": options.threads,
        "show": options.show,
    }  # fmt: skip


def _hurried(epochs: int, options: argparse.Namespace) -> int:
    return max(1, round(epochs * options.share))


def _enough(whole: Dataset, epochs: int, options: argparse.Namespace) -> Dataset:
    """What to learn from: only a part of it where not even one epoch is wanted."""
    share = epochs * options.share
    return whole if share >= 1 else whole.train.split(test=1 - share, validation=0.0)


def smaller(part: Dataset, side: int) -> Dataset:
    """The images at another size: means of squares of pixels."""
    from deepseek import Dataset

    pixels, labels = part.to_arrays()
    count, channels, height, _ = pixels.shape
    times = height // side
    if times == 1:
        return part
    squares = pixels.reshape(count, channels, side, times, side, times).mean(axis=(3, 5))
    return Dataset.from_arrays(
        squares.round().astype("uint8"), labels, classes=part.classes, name=f"cifar10-{side}px", seed=SEED
    ).split(test=0.0, validation=0.0)


def minilm(options: argparse.Namespace) -> tuple[Model, dict[str, Any]]:
    from deepseek import Model

    model = Model.load("minilm")
    settings = {"epochs": _hurried(2, options), "batch_size": 32, "learning_rate": 2e-4}
    model.train(
        choosing("minilm"),
        seed=SEED,
        threads=options.threads,
        precision=options.precision,
        show=options.show,
        **settings,
    )
    return model, settings


def lm(options: argparse.Namespace) -> tuple[Model, dict[str, Any]]:
    from deepseek import Model

    shape = {"hidden_size": 288, "layers": 4, "heads": 6}
    settings = {"epochs": _hurried(3, options), "batch_size": 16, "learning_rate": 2e-3}
    model = Model.create("transformer_lm", **shape)
    model.train(_enough(choosing("lm"), 3, options), **_common(options), **settings)
    return model, {**shape, **settings}


MAKERS: dict[str, Callable[[argparse.Namespace], tuple[Model, dict[str, Any]]]] = {
    "digits": digits,
    "resnet18": lambda options: resnet("resnet18", options),
    "minilm": minilm,
    "lm": lm,
    "resnet50": lambda options: resnet("resnet50", options),
}


def make(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one model, judge it on its test part, and keep it."""
    import torch

    started = time.perf_counter()
    model, settings = MAKERS[name](options)
    seconds = time.perf_counter() - started
    model.save(folder() / f"{name}.zip")
    judged = model.evaluate(data(name, options.cifar), show=False)
    about = {
        "name": name, "test": {key: judged[key] for key in judged}, "settings": settings,
        "share": options.share, "seed": SEED,
        "seconds": seconds, "threads": options.threads, "precision": options.precision, "torch": torch.__version__,
        "python": platform.python_version(), "machine": platform.machine(),
    }  # fmt: skip
    if name == "minilm":
        from benchmarks.compression.texts import versions

        about["texts"] = versions()
    (folder() / f"{name}.json").write_text(json.dumps(about, indent=1))
    return about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MAKERS)}; all by default")
    parser.add_argument("--cifar", type=Path, help="folder of CIFAR-10")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--precision", default="plan", help="bf16, fp32, ...; by default as a run chooses it")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the training, for a machine with less time; stands in the file"
    )
    parser.add_argument("--list", action="store_true", help="say what is there")
    parser.add_argument("--quiet", dest="show", action="store_false", help="no progress")
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run sets it: other programs share the cores
    unknown = set(options.names) - set(MAKERS)
    if unknown:
        parser.error(f"there is no model {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    for name in options.names or MAKERS:
        if not options.list and not has(name):
            make(name, options)
        state = json.loads((folder() / f"{name}.json").read_text()) if has(name) else None
        said = f"{state['test']}  {state['seconds']:.0f} s  {folder() / name}.zip" if state else "not there yet"
        print(f"{name:10} {said}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
