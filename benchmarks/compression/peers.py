"""One contestant of the compression benchmark in a process of its own: JSON lines in, JSON lines out.

    python -m benchmarks.compression.peers TOOL

Started by :mod:`benchmarks.compression.race`: our own with our interpreter, the peers with that of ``.venv-peers``. All
contestants speak this protocol, so that all are timed alike:

- ``{"do": "make", ...job}`` -> ``{"size_bytes", "seconds", ...}``: compress, or open what was compressed;
- ``{"do": "time", "batch": 1, "calls": 5}`` -> ``{"ms": [...]}``, after two calls that do not count;
- ``{"do": "answer", "out": FILE}`` -> the answer to every test input, in a NumPy file.

A request that fails is answered with ``{"error": ...}``. What tools print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback

import numpy as np

from benchmarks.compression.contestant import Contestant
from benchmarks.compression.tools import TOOLS

WARM_UP = 2


def time_calls(made: Contestant, inputs: np.ndarray, batch: int, calls: int) -> list[float]:
    """Milliseconds of each call, warm."""
    taken = []
    for number in range(WARM_UP + calls):
        first = number * batch % max(1, len(inputs) - batch)
        x = np.ascontiguousarray(inputs[first : first + batch])
        started = time.perf_counter()
        made.call(x)
        if number >= WARM_UP:
            taken.append(1e3 * (time.perf_counter() - started))
    return taken


def answer_all(made: Contestant, inputs: np.ndarray) -> np.ndarray:
    """The class of each input, or the summed loss of each block of tokens.

    Losses are those of the token after each, as training counts them.
    """
    parts = []
    for first in range(0, len(inputs), made.batch):
        x = np.ascontiguousarray(inputs[first : first + made.batch])
        missing = made.batch - len(x) if made.more.get("fixed") else 0
        given = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
        out = made.call(given)[: len(x)]
        parts.append(out.argmax(1) if out.ndim == 2 else _losses(out, x))
    return np.concatenate(parts)


def _losses(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    logits, answers = logits[:, :-1].astype(np.float32), tokens[:, 1:]
    largest = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(-1)) + largest[..., 0]
    loss: np.ndarray = (total - np.take_along_axis(logits, answers[..., None], -1)[..., 0]).sum(1, dtype=np.float64)
    return loss


def serve(tool: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    made: Contestant | None = None
    inputs = np.zeros(0)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "make":
                inputs = np.load(request["inputs"], mmap_mode="r")
                started = time.perf_counter()
                made = TOOLS[tool](request)
                found = {"size_bytes": made.size_bytes, "seconds": time.perf_counter() - started, **made.more}
            elif made is None:
                found = {"error": "nothing was made"}
            elif request["do"] == "time":
                found = {"ms": time_calls(made, inputs, request["batch"], request["calls"])}
            else:
                np.save(request["out"], answer_all(made, inputs))
                found = {"out": request["out"]}
        except Exception as error:  # a peer may fail in any way, and is then reported as failed
            traceback.print_exc()
            found = {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]}
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
