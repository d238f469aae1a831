"""One trained network as the compression benchmark takes it: its files for the contestants, and what we make of it.

Called by :mod:`benchmarks.compression`. The network, its ONNX file in fp32, inputs and labels are written once into a
folder that all contestants read. Calibration inputs come from the training part; the test part is only answered.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.compression import models
from benchmarks.compression.race import Entry, conditions, race, show, table, verdict
from engine.runtime.examples import Examples, load
from engine.runtime.onnx_export import to_onnx
from engine.runtime.predictor import Predictor

if TYPE_CHECKING:
    from deepseek import Dataset, Model


def place() -> Path:
    """Where everything of this benchmark is kept."""
    found = models.folder().parent / "compressed"
    found.mkdir(parents=True, exist_ok=True)
    return found


class Subject:
    """See the module's text.

    Parameters
    ----------
    name
        Of the network in :mod:`benchmarks.compression.models`.
    """

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.name, self.options = name, options
        self.model, self.about = models.load(name)
        self.data = models.data(name, options.cifar)
        self.choosing = models.choosing(name, options.cifar)
        digest = hashlib.sha256((models.folder() / f"{name}.zip").read_bytes()).hexdigest()[:12]
        tests = f"-{options.test}" if options.test else ""
        self.folder = place() / f"{name}-{digest}-{options.examples}{tests}"
        self.folder.mkdir(exist_ok=True)
        self.job = self._files()

    def calibration(self) -> Dataset:
        """The examples of the training part that everybody may look at, as a data set of their own."""
        from deepseek import Dataset

        rows = self.rows()
        if self.data.kind == "images":
            pixels, labels = self.choosing.train.to_arrays()
            some = Dataset.from_arrays(pixels[rows], labels[rows], classes=self.data.classes, name="calibration")
            return some.split(test=0.0, validation=0.0)
        return self.choosing

    def race(self, entries: list[Entry]) -> dict[str, Any]:
        """Measure, print, and give back what was found."""
        left_out = set(self.options.without.split(","))
        entries = [entry for entry in entries if entry.tool not in left_out]
        started = conditions()
        race(entries, self.job, self.folder, rounds=self.options.rounds, kept=self.folder / "answers")
        eager = [entry for entry in entries if entry.tool == "eager" and entry.error is None]
        base = min(eager, key=lambda entry: float(np.median(entry.ms)))
        truth = np.load(self.job["labels"]) if "labels" in self.job else None
        rows = table(entries, base, truth, tokens=np.load(self.job["inputs"], mmap_mode="r").shape[1] - 1)
        show(f"{self.name}: {len(np.load(self.job['inputs'], mmap_mode='r'))} test inputs, beside {base.name}", rows)
        said = verdict(rows, allowed=0.0)
        for line in said:
            print(f"  {line}")
        return {"rows": rows, "said": said, "model": self.about, "before": started, "after": conditions()}

    def kept(self, method: str, point: str = "") -> Path:
        """Our bundle after one method, or another point of its front; with another network, another place."""
        return self.folder / (f"ours-{method}--{point}.zip" if point else f"ours-{method}.zip")

    def rows(self) -> np.ndarray:
        count = len(self.choosing.train)
        return np.sort(np.random.default_rng(models.SEED).permutation(count)[: self.options.examples])

    def _files(self) -> dict[str, Any]:
        from safetensors.torch import save_file

        names = {
            part: str(self.folder / file)
            for part, file in (
                ("onnx", "fp32.onnx"), ("weights", "weights.safetensors"), ("inputs", "inputs.npy"),
                ("calibration", "calibration.npy"),
            )
        }  # fmt: skip
        predictor = Predictor.open(self.model.artifact)
        spec = predictor.spec
        job: dict[str, Any] = {
            **names, "architecture": spec.architecture, "config": spec.config, "threads": self.options.threads,
        }  # fmt: skip
        if spec.task == "classification":
            job["labels"] = str(self.folder / "labels.npy")
        if self.data.kind == "images":
            job["learn"] = self._learn(spec)
        if Path(names["onnx"]).exists():
            return job
        learn, test = (self._examples(part, predictor) for part in (self.choosing.train, self.data.test))
        count = min(len(test), self.options.test or len(test))
        np.save(names["inputs"], test.batch(torch.arange(count)).numpy())
        rows = torch.from_numpy(self.rows())
        np.save(names["calibration"], learn.batch(rows).numpy())
        if "labels" in job:
            from engine.runtime.targets import labels_of

            np.save(job["labels"], labels_of(self.data.test.artifact, spec.labels or [])[:count].numpy())
        state = predictor.module.state_dict()
        save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, names["weights"])
        example = learn.batch(rows[:2])
        Path(names["onnx"]).write_bytes(to_onnx(predictor.module, example))
        return job

    def _learn(self, spec: Any) -> dict[str, Any]:
        """Training images in whole numbers, for a peer that fine-tunes."""
        from engine.runtime.images import affine

        found = {part: str(self.folder / f"learn-{part}.npy") for part in ("images", "labels")}
        if not Path(found["labels"]).exists():
            pixels, labels = self.choosing.train.to_arrays()
            np.save(found["images"], pixels)
            np.save(found["labels"], labels)
        factor, summand = affine(spec.preprocessing, self.data.artifact.meta["shape"][0])
        assert factor is not None
        assert summand is not None
        return {**found, "factor": factor.flatten().tolist(), "summand": summand.flatten().tolist()}

    @staticmethod
    def _examples(part: Dataset, predictor: Predictor) -> Examples:
        tokenizer = predictor.tokenizer if predictor.spec.input_kind == "tokens" else None
        return load(part.artifact, predictor.spec, torch.device("cpu"), tokenizer)


def compressed(subject: Subject, methods: tuple[str, ...], options: argparse.Namespace) -> list[Entry]:
    """Ours: each method's models, made now or kept, or the reason why there is none."""
    entries = []
    for method in methods:
        bundle = subject.kept(method)
        if not bundle.exists() or options.fresh:
            for old in (bundle, *_others(subject, method)):
                old.unlink(missing_ok=True)
            _made(subject, method, options)
        entries.append(Entry(f"ours, {method}", "ours", {"bundle": str(bundle)}))
        for other in _others(subject, method):
            entries.append(Entry(f"ours, {method}: {other.stem.split('--')[1]}", "ours", {"bundle": str(other)}))
    return entries


def _others(subject: Subject, method: str) -> list[Path]:
    return sorted(subject.folder.glob(f"ours-{method}--*.zip"))


def _made(subject: Subject, method: str, options: argparse.Namespace) -> None:
    bundle, started = subject.kept(method), time.perf_counter()
    try:
        found, told = make(subject, method, options)
    except Exception as error:  # reported as a peer's failure would be
        print(f"    ours, {method}: {type(error).__name__}: {error}", file=sys.stderr)
        return
    about = {"seconds": time.perf_counter() - started, "report": told, "made": conditions()}
    for point, model in found.items():
        model.save(subject.kept(method, point))
    bundle.with_suffix(".json").write_text(json.dumps(about, indent=1, default=str))


def make(subject: Subject, method: str, options: argparse.Namespace) -> tuple[dict[str, Model], dict[str, Any]]:
    """Compress by our own SDK; the model has no name, other points of a front that were pruned have theirs."""
    from deepseek import Quantizer

    if method.startswith("search"):
        from deepseek import compress

        examples = subject.choosing
        if examples.kind == "images":
            examples = examples.augment(flip=True, crop=4)
        found = compress(
            subject.model, examples, max_drop=0.005, target="latency", budget_s=options.budget, show=True,
            threads=options.threads,
        )  # fmt: skip
        pruned = [one["name"] for one in found.front if one["name"] != found.best and "prune" in one["name"]]
        models_found = {"": found.model, **{name: found.take(name) for name in pruned}}
        return models_found, {**found.report, "points": found.points}
    quantizer = Quantizer(subject.model, method=method)
    model = quantizer.optimize(subject.calibration(), show=False)
    return {"": model}, dict(quantizer.report)
