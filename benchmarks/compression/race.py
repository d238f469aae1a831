"""Contestants of the compression benchmark side by side: started, asked in turns, and put into one table.

Called by :mod:`benchmarks.compression`. Each contestant is a process (:mod:`benchmarks.compression.peers`) with the
same number of threads; only one computes at a time. In every round each is timed for a few calls, in turns that go
forth and back, so that a machine that slows down slows all alike. One that fails stays in the table, with its error.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
OURS = Path(sys.executable)
PEERS = ROOT / ".venv-peers/bin/python"
SURE = 1.959964
CALLS = 5


@dataclass
class Entry:
    """One contestant: which tool with which settings, and what was found.

    Attributes
    ----------
    ms
        Median latency of each round.
    answers
        Class of each test input, or loss of each block.
    """

    name: str
    tool: str
    settings: dict[str, Any] = field(default_factory=dict)
    is_peer: bool = False
    made: dict[str, Any] = field(default_factory=dict)
    ms: list[float] = field(default_factory=list)
    answers: np.ndarray | None = None
    error: str | None = None


class Process:
    """A contestant's process."""

    def __init__(self, entry: Entry, threads: int, log: Path) -> None:
        python = PEERS if entry.is_peer else OURS
        if not python.exists():
            raise FileNotFoundError(f"{python.relative_to(ROOT)} is not installed")
        environment = {
            **os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": "",
        }  # fmt: skip
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.compression.peers", entry.tool], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"),
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer; RuntimeError with the contestant's words when it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"its process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)


def race(entries: list[Entry], job: dict[str, Any], folder: Path, *, rounds: int, kept: Path | None = None) -> None:
    """Make all contestants, ask them for every answer, and time them in turns; fills in the entries.

    Parameters
    ----------
    job
        What all of them are given.
    kept
        Folder of answers that are known already: they follow from the files alone and are taken from there.
    """
    processes: dict[int, Process] = {}
    for number, entry in enumerate(entries):
        own = folder / f"{number}-{entry.tool}"
        own.mkdir(parents=True, exist_ok=True)
        try:
            process = Process(entry, job["threads"], own / "log.txt")
            processes[number] = process
            entry.made = process.ask(do="make", **{**job, "folder": str(own), "settings": entry.settings})
            entry.answers = _answers(process, entry, own, kept)
        except (RuntimeError, FileNotFoundError) as error:
            entry.error = str(error)
        print(f"    {entry.name}: {entry.error or _made(entry)}", file=sys.stderr, flush=True)
    racing = [number for number in processes if entries[number].error is None]
    for turn in range(rounds + 1):
        for number in racing if turn % 2 else reversed(racing):
            if entries[number].error is None:
                try:
                    taken = processes[number].ask(do="time", batch=job.get("batch", 1), calls=CALLS)["ms"]
                except RuntimeError as error:
                    entries[number].error = str(error)
                    continue
                if turn:  # the first turn only warms up
                    entries[number].ms.append(statistics.median(taken))
    for process in processes.values():
        process.close()


def _answers(process: Process, entry: Entry, own: Path, kept: Path | None) -> np.ndarray:
    kept = None if entry.tool == "ours" else kept  # ours may have changed since
    if kept is not None and (kept / f"{entry.name}.npy").exists():
        found: np.ndarray = np.load(kept / f"{entry.name}.npy")
        return found
    answers: np.ndarray = np.load(process.ask(do="answer", out=str(own / "answers.npy"))["out"])
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        np.save(kept / f"{entry.name}.npy", answers)
    return answers


def _made(entry: Entry) -> str:
    return f"{entry.made['size_bytes'] / 1e6:.2f} MB in {entry.made['seconds']:.0f} s"


def wilson(right: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (E. Wilson, 1927)."""
    share, squared = right / count, SURE**2
    centre = (share + squared / (2 * count)) / (1 + squared / count)
    reach = SURE / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    return centre - reach, centre + reach


def paired(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Mean difference of two measurements of the same examples, with its 95 % interval."""
    difference = before.astype(np.float64) - after
    mean = float(difference.mean())
    reach = SURE * float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return mean, mean - reach, mean + reach


def table(entries: list[Entry], base: Entry, truth: np.ndarray | None, tokens: int = 0) -> list[dict[str, Any]]:
    """One row an entry, beside the uncompressed network.

    Parameters
    ----------
    base
        Eager PyTorch in fp32.
    truth
        Class of each test input; None: answers are losses of blocks.
    tokens
        That each loss is a sum over.
    """
    rows = []
    for entry in entries:
        row: dict[str, Any] = {"name": entry.name, "tool": entry.tool, "settings": entry.settings, "error": entry.error}
        rows.append(row)
        if entry.error is not None or entry.answers is None or base.answers is None:
            continue
        ratios = sorted(theirs / mine for theirs, mine in zip(base.ms, entry.ms, strict=True))
        row |= {
            "size_bytes": entry.made["size_bytes"],
            "smaller": 1 - entry.made["size_bytes"] / base.made["size_bytes"],
            "times_smaller": base.made["size_bytes"] / entry.made["size_bytes"],
            "ms": statistics.median(entry.ms),
            "speed_up": statistics.median(ratios),
            "speed_up_low": ratios[len(ratios) // 10],
            "speed_up_high": ratios[-1 - len(ratios) // 10],
            "made_s": entry.made["seconds"],
            "made": {k: v for k, v in entry.made.items() if k not in ("size_bytes", "seconds")},
        }
        if truth is not None:
            right, before = entry.answers == truth, base.answers == truth
            row["accuracy"], row["interval"] = float(right.mean()), wilson(int(right.sum()), len(right))
            row["drop_points"] = tuple(100 * value for value in paired(before, right))
        else:
            row["perplexity"] = math.exp(float(entry.answers.mean()) / tokens)
            mean, low, high = (value / tokens for value in paired(entry.answers, base.answers))
            row["more_perplexity"] = tuple(100 * (math.exp(value) - 1) for value in (mean, low, high))
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """The table, for people."""
    print(f"\n{title}", flush=True)
    for row in rows:
        if row["error"] is not None:
            print(f"  {row['name']:34} not measured: {row['error']}")
            continue
        speed = f"{row['ms']:8.2f} ms {row['speed_up']:6.2f}x ({row['speed_up_low']:.2f} to {row['speed_up_high']:.2f})"
        size = f"{row['size_bytes'] / 1e6:8.2f} MB {-100 * row['smaller']:+6.1f} %"
        if "accuracy" in row:
            mean, low, high = row["drop_points"]
            low_share, high_share = row["interval"]
            good = (
                f"{100 * row['accuracy']:.2f} % ({100 * low_share:.2f} to {100 * high_share:.2f}), "
                f"drop {mean:+.2f} ({low:+.2f} to {high:+.2f})"
            )
        else:
            mean, low, high = row["more_perplexity"]
            good = f"perplexity {row['perplexity']:.3f}, {mean:+.2f} % ({low:+.2f} to {high:+.2f})"
        print(f"  {row['name']:34} {size}  {speed}  {good}  made in {row['made_s']:.0f} s", flush=True)


def verdict(rows: list[dict[str, Any]], allowed: float) -> list[str]:
    """Ours against the best peer that is at least as accurate: sentences for the log.

    Parameters
    ----------
    allowed
        Points of accuracy, or per cent of perplexity, by which ours may be behind a peer that still counts as equal: 0
        compares only with peers that are not less accurate.
    """
    measured = [row for row in rows if row["error"] is None]
    ours = [row for row in measured if row["tool"] == "ours"]
    peers = [row for row in measured if row["tool"] not in ("ours", "eager", "onnx_fp32", "openvino_fp32")]
    said = []
    for row in ours:
        equal = [peer for peer in peers if _loss(peer) <= _loss(row) + allowed]
        if not equal:
            said.append(f"{row['name']}: no peer is as accurate")
            continue
        best = min(equal, key=lambda peer: peer["ms"])
        said.append(f"{row['name']}: {best['ms'] / row['ms']:.2f}x the speed of {best['name']}, the best equal peer")
    return said


def _loss(row: dict[str, Any]) -> float:
    kind = "drop_points" if "drop_points" in row else "more_perplexity"
    found: float = row[kind][0]
    return found


def conditions() -> dict[str, Any]:
    """What else the machine was doing, as far as can be seen."""
    load = os.getloadavg()
    return {"load_1_min": load[0], "cpus": os.cpu_count(), "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
