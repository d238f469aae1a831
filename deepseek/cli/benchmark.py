"""``deepseek benchmark``: what models cost and how good they are, measured on this machine.

One block does the measuring, so the studio shows the same numbers. The uncompressed model stands beside one that was
compressed here, where this machine still has it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Measure models on this machine, in turns and with equal threads: size, parameters, MACs, latency and throughput at
batch 1, 8 and 32, memory, and accuracy with its 95 % interval.

examples:
  deepseek benchmark --model quantized_model.pt --dataset cifar10
  deepseek benchmark --model small.pt --dataset digits --compare model.zip other.onnx --json
"""
TYPE = "evaluate.benchmark"
UNCOMPRESSED = "uncompressed"
BATCHES = (1, 8, 32)


def register(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "benchmark",
        help="measure models on this machine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", required=True, metavar="FILE", help="a model that was saved, whatever its name ends in")
    add("--dataset", required=True, help="name or path of the data; its part to test on is used")
    add("--compare", nargs="+", default=[], metavar="FILE", help="other models to measure beside it")
    add("--target", help="column to predict, for a table")
    add("--data-path", metavar="PATH", help="where the data of a named data set lies")
    add("--examples", type=int, default=0, metavar="N", help="ask so many for the accuracy at most; 0: all")
    add("--threads", type=int, help="CPU threads; all by default")
    add("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from deepseek import Dataset, Model

    named = {"path": args.data_path} if args.data_path else {}
    dataset = Dataset.load(args.dataset, target=args.target, **named)
    models = {Path(args.model).name: Model.load(args.model)}
    before = None if args.compare else original_of(models[Path(args.model).name])
    if before is not None:
        models[UNCOMPRESSED] = before
    for path in args.compare:
        models[_unique(Path(path).name, models)] = Model.load(path)
    rows = measure(models, dataset, examples=args.examples, threads=args.threads)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        print(table(rows))
    return 0


def measure(models: Mapping[str, Any], dataset: Any, *, examples: int, threads: int | None) -> dict[str, Any]:
    """Name of each model -> its numbers."""
    from deepseek import local, pipeline
    from deepseek.model import sink

    first, *others = (model._output for model in models.values())
    made = pipeline.step(
        "benchmark", TYPE, {"examples": examples}, model=first, dataset=dataset.test._output, others=others
    )
    document, ids = pipeline.document([made], name="Benchmark")
    result = local.checked(local.execute(document, plan={"threads": threads, "device": "cpu"}, show=sink(True)))
    rows = result.outputs[ids[made]]["report"].read_json("rows.json")
    return dict(zip(models, rows, strict=True))


def original_of(model: Any) -> Any | None:
    """The model that another one was compressed from, where this machine still has it."""
    from deepseek import Model, local
    from deepseek.errors import DeepSeekError

    digest = model.spec["provenance"].get("original")
    if not digest:
        return None
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "original.zip"
        try:
            local.save(str(digest), place)
        except DeepSeekError:
            return None
        return Model.load(place)


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The numbers for people: one column a model, the change against the last one behind each but that.

    >>> print(table({"a": {"size_bytes": 1048576, "params": 5, "macs": None, "runtime": "eager", "memory_mib": 2.0,
    ...     "accuracy": 0.5, "accuracy_low": None, "accuracy_high": None, "examples": 4,
    ...     **{f"{k}_{b}": 1.0 for k in ("p50_ms", "p95_ms", "p99_ms", "per_s") for b in (1, 8, 32)}}}).splitlines()[1])
    size on disk        1.00 MiB
    """
    last = list(rows.values())[-1]
    lines: list[tuple[str, list[str]]] = [("", list(rows))]
    lines.append(
        ("size on disk", [_against(row, last, "size_bytes", _mib(row["size_bytes"])) for row in rows.values()])
    )
    lines.append(("parameters", [_count(row["params"]) for row in rows.values()]))
    lines.append(("MACs", [_count(row["macs"]) for row in rows.values()]))
    lines.append(("runtime", [row["runtime"] for row in rows.values()]))
    for size in BATCHES:
        shown = [
            _against(
                row, last, f"p50_ms_{size}", " / ".join(f"{row[f'{p}_ms_{size}']:.3g}" for p in ("p50", "p95", "p99"))
            )
            for row in rows.values()
        ]
        lines.append((f"ms at batch {size}", shown))
    for size in BATCHES:
        lines.append((f"per s at batch {size}", [f"{row[f'per_s_{size}']:,.0f}" for row in rows.values()]))
    lines.append(("memory", ["-" if r["memory_mib"] is None else f"{r['memory_mib']:.1f} MiB" for r in rows.values()]))
    lines.append(("accuracy", [_accuracy(row) for row in rows.values()]))
    return _aligned(lines) + f"\n{last['examples']:,} examples; latency is p50 / p95 / p99 on the CPU of this machine."


def _aligned(lines: Sequence[tuple[str, Sequence[str]]]) -> str:
    widths = [max(len(cells[place]) for _, cells in lines) for place in range(len(lines[0][1]))]
    return "\n".join(
        f"{name:<18}  {'  '.join(f'{cell:<{width}}' for cell, width in zip(cells, widths, strict=True))}".rstrip()
        for name, cells in lines
    )


def _against(row: Mapping[str, Any], last: Mapping[str, Any], key: str, shown: str) -> str:
    if row is last or not last[key]:
        return shown
    if key == "size_bytes":
        return f"{shown} ({100 * (row[key] / last[key] - 1):+.0f} %)"
    return f"{shown} ({last[key] / row[key]:.2f}x)"


def _accuracy(row: Mapping[str, Any]) -> str:
    if row["accuracy_low"] is None:
        return f"{row['accuracy']:.4f}"
    return f"{row['accuracy']:.2%} ({row['accuracy_low']:.2%} to {row['accuracy_high']:.2%})"


def _mib(size: float) -> str:
    return f"{size / 2**20:.2f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _unique(name: str, known: Mapping[str, Any]) -> str:
    return name if name not in known else f"{name} ({len(known) + 1})"
