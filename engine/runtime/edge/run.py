"""Ask the model of this folder: images, rows or texts in, answers out. Needs Python 3.11, numpy and onnxruntime only.

    python run.py photo.png another.png      classes of images (PNG; others where Pillow is installed)
    python run.py rows.csv                   answers for rows of a table
    python run.py "a text" "another"         classes of texts
    python run.py inputs.npy                 raw inputs: pixels (N, C, H, W), or tokens (N, T)
    python run.py --check                    compares with what was answered where the package was made
    python run.py --time                     median latency of one example on this machine

Answers are JSON, one line each. As a module: ``Edge(folder).ask(inputs)``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from engine.runtime.edge.inputs import WordPieces, encode, network_input, pixels, read_rows

NEAR = 0.05


class Edge:
    """The model of a package.

    Parameters
    ----------
    folder
        Where ``edge.json`` and ``model.onnx`` lie.
    threads
        0: every core.
    """

    def __init__(self, folder: Path, threads: int = 0) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "edge.json").read_text(encoding="utf-8"))
        content = (folder / "model.onnx").read_bytes()
        if hashlib.sha256(content).hexdigest() != self.facts["sha256"]:
            raise SystemExit("model.onnx was changed or is damaged: copy the package again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        given = self.session.get_inputs()[0]
        self.name, self.number = given.name, np.int64 if given.type == "tensor(int64)" else np.float32

    def raw(self, inputs: list[str]) -> np.ndarray:
        """Files or texts as raw inputs: pixels uint8, numbers float32 or tokens int64."""
        kind = self.facts["input"]["kind"]
        if len(inputs) == 1 and inputs[0].endswith(".npy"):
            loaded: np.ndarray = np.load(inputs[0], allow_pickle=False)
            return loaded
        if kind == "images":
            return np.stack([pixels(Path(name), self.facts["input"]["shape"]) for name in inputs])
        if kind == "table":
            rows = [row for name in inputs for row in read_rows(Path(name))]
            return encode(rows, self.facts["input"]["columns"], self.facts["preprocessing"])
        return WordPieces(self.folder / "tokenizer.json").rows(inputs, int(self.facts["input"]["length"]))

    def prepare(self, raw: np.ndarray) -> np.ndarray:
        """Raw inputs as the network takes them."""
        if self.facts["input"]["kind"] == "images" and raw.dtype == np.uint8:
            return network_input(raw, self.facts["preprocessing"])
        return np.ascontiguousarray(raw, dtype=self.number)

    def outputs(self, raw: np.ndarray) -> np.ndarray:
        """What the network says: (N, ...) scores or numbers."""
        found: np.ndarray = self.session.run(None, {self.name: self.prepare(raw)})[0]
        return found

    def ask(self, raw: np.ndarray) -> list[dict[str, Any]]:
        """An answer for each raw input: ``label`` and ``probability``, or ``value``."""
        outputs = self.outputs(raw).astype(np.float64)
        if self.facts["task"] == "classification":
            shares = np.exp(outputs - outputs.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            labels = self.facts["labels"] or [str(n) for n in range(outputs.shape[1])]
            best = shares.argmax(1)
            return [
                {"label": labels[place], "probability": round(float(share[place]), 6)}
                for place, share in zip(best, shares, strict=True)
            ]
        if self.facts["task"] == "regression":
            target = self.facts["target"] or {"mean": 0.0, "std": 1.0}
            return [{"value": float(value * target["std"] + target["mean"])} for value in outputs.reshape(-1)]
        return [{"output": row.tolist()} for row in outputs]

    def check(self) -> float:
        """Share of the package's examples that are answered here as where it was made."""
        with np.load(self.folder / "sample.npz", allow_pickle=False) as sample:
            raw, expected = sample["inputs"], sample["outputs"]
        found = self.outputs(raw)
        if expected.ndim > 1 and expected.shape[-1] > 1:
            return float((found.argmax(-1) == expected.argmax(-1)).mean())
        return float((np.abs(found - expected) < NEAR * max(expected.std(), 1e-6)).mean())

    def latency_ms(self, rounds: int = 100) -> float:
        """Median time of one example."""
        with np.load(self.folder / "sample.npz", allow_pickle=False) as sample:
            one = {self.name: self.prepare(sample["inputs"][:1])}
        taken = []
        for _ in range(rounds + 10):
            started = time.perf_counter()
            self.session.run(None, one)
            taken.append(1e3 * (time.perf_counter() - started))
        return float(np.median(taken[10:]))


def tell(answer: dict[str, Any]) -> None:
    """One line of JSON on standard output."""
    sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")


def main(words: list[str]) -> int:
    """The command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args(words)
    edge = Edge(Path(__file__).resolve().parent, args.threads)
    if args.check:
        share = edge.check()
        tell({"agreement": share})
        return 0 if share >= 0.98 else 1
    if args.time:
        tell({"latency_ms": round(edge.latency_ms(), 4)})
        return 0
    if not args.inputs:
        parser.print_usage()
        return 2
    for answer in edge.ask(edge.raw(args.inputs)):
        tell(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
