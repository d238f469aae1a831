"""Compression beside its peers: the same trained network, data, threads and machine, in one run.

    python -m benchmarks.compression WHAT [--cifar FOLDER] [--threads N] [--rounds 15] [--json FILE]

WHAT is one row of the table in docs/benchmarks.md, or ``all``:

resnet18     CIFAR-10 at 32 pixels: size, latency of one image, accuracy on 10,000 test images
resnet50     the same with ImageNet's stem at 32 pixels
minilm       a text classifier of MiniLM's weights on 4,000 test sentences
lm           INT4 weights of a decoder: bytes and perplexity
student      distilled students of half the parameters, beside the same trained alone, 5 seeds
edge         teacher to student to INT8 edge package: size
first_run    the template that a newcomer runs: `compress` inside its budget
bert_large   BERT-large to BERT-base: needs a GPU
ablation     what each part of our methods brings
digits       a small convnet, to see in a minute that everything runs; not in ``all``

The networks are those of :mod:`benchmarks.compression.models`. What takes long is made once and kept under
``DEEPSEEK_HOME/benchmarks/compressed`` (``--fresh`` makes it anew): our compressed models, with the seconds that they
took, and the answers of peers to the test part, which depend on files alone. Times are always measured anew. Peers are
installed in ``.venv-peers``:

    python -m venv .venv-peers && .venv-peers/bin/pip install torch onnx onnxscript onnxruntime openvino nncf torchao \
        torch-pruning pydantic safetensors numpy

Eager means PyTorch in inference mode, warm, the faster of its two memory formats. Ranges and choices come from training
data, figures from the test part. Speed-ups are medians of ratios within a round, with the middle 80 % of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PARTS = ("resnet18", "resnet50", "minilm", "lm", "student", "edge", "first_run", "bert_large", "ablation")


def images(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """ResNets: ours, and every peer that quantises or prunes networks for images."""
    from benchmarks.compression.race import Entry
    from benchmarks.compression.subject import Subject, compressed

    subject = Subject(name, options)
    search = f"search-{options.budget:g}"
    ours = compressed(subject, ("int8", search), options)
    entries = [
        Entry("PyTorch eager", "eager"),
        Entry("PyTorch eager, channels last", "eager", {"channels_last": True}),
        Entry("ONNX Runtime fp32", "onnx_fp32"),
        *ours,
        *(
            Entry(f"ONNX Runtime INT8, {method}", "onnxruntime_static", {"method": method}, is_peer=True)
            for method in ("MinMax", "Entropy", "Percentile")
        ),
        Entry("NNCF + OpenVINO INT8", "nncf_int8", is_peer=True),
        Entry("torchao PT2E + Inductor INT8", "torchao_pt2e", is_peer=True),
    ]
    searched = subject.kept(search).with_suffix(".json")
    if searched.exists():  # the pruning peer trains for as long as our search took
        seconds = 10 * round(json.loads(searched.read_text())["seconds"] / 10)
        for old in subject.folder.glob("torch-pruning-*") if options.fresh else ():
            old.unlink()
        for ratio in options.ratio:
            settings = {"ratio": ratio, "seconds": seconds}
            entries += [
                Entry(f"Torch-Pruning {ratio:g}", "torch_pruning", settings, is_peer=True),
                Entry(f"Torch-Pruning {ratio:g} + ORT INT8", "torch_pruning", {**settings, "int8": True}, is_peer=True),
            ]
    return subject.race(entries)


def minilm(options: argparse.Namespace) -> dict[str, Any]:
    """A text classifier."""
    from benchmarks.compression.race import Entry
    from benchmarks.compression.subject import Subject, compressed

    subject = Subject("minilm", options)
    return subject.race(
        [
            Entry("PyTorch eager", "eager"),
            Entry("ONNX Runtime fp32", "onnx_fp32"),
            *compressed(subject, ("int8", "dynamic", "mixed"), options),
            Entry("ONNX Runtime dynamic INT8", "onnxruntime_dynamic", is_peer=True),
            Entry("ONNX Runtime static INT8", "onnxruntime_static", is_peer=True),
            Entry("NNCF + OpenVINO INT8", "nncf_int8", is_peer=True),
            Entry("torchao dynamic INT8 + Inductor", "torchao_dynamic", is_peer=True),
            Entry("torchao PT2E + Inductor INT8", "torchao_pt2e", is_peer=True),
        ]
    )


def lm(options: argparse.Namespace) -> dict[str, Any]:
    """INT4 weights of a decoder."""
    from benchmarks.compression.race import Entry
    from benchmarks.compression.subject import Subject, compressed

    subject = Subject("lm", options)
    return subject.race(
        [
            Entry("PyTorch eager", "eager"),
            Entry("ONNX Runtime fp32", "onnx_fp32"),
            *compressed(subject, ("int4", "mixed"), options),
            Entry("ONNX Runtime INT4, nearest", "onnxruntime_int4", is_peer=True),
            Entry("ONNX Runtime INT4, HQQ", "onnxruntime_int4", {"method": "HQQ"}, is_peer=True),
            Entry("NNCF + OpenVINO INT4, with data", "nncf_int4", is_peer=True),
            Entry("torchao INT4 + Inductor", "torchao_int4", {"bfloat16": True}, is_peer=True),
        ]
    )


def bert_large(options: argparse.Namespace) -> dict[str, Any]:
    """Hours on a CPU, and its weights are fetched."""
    print("\nbert_large: not measured; run the shipped example where there is a GPU")
    return {"measured": False, "reason": "needs a GPU"}


def _parts() -> dict[str, Callable[[argparse.Namespace], dict[str, Any]]]:
    from benchmarks.compression import small
    from benchmarks.compression.ablation import ablation

    return {
        "resnet18": lambda options: images("resnet18", options),
        "resnet50": lambda options: images("resnet50", options),
        "digits": lambda options: images("digits", options),
        "minilm": minilm,
        "lm": lm,
        "student": small.student,
        "edge": small.edge,
        "first_run": small.first_run,
        "bert_large": bert_large,
        "ablation": ablation,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", choices=[*PARTS, "digits", "all"])
    parser.add_argument("--cifar", type=Path, help="folder of CIFAR-10")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--examples", type=int, default=256, help="that ranges are taken from, by all alike")
    parser.add_argument("--test", type=int, default=0, help="test only on so many, to see that it runs; 0: all")
    parser.add_argument(
        "--ratio", type=float, nargs="*", default=[0.4, 0.6], help="shares of channels that the pruning peer removes"
    )
    parser.add_argument("--budget", type=float, default=600, help="seconds of our search, when it is made")
    parser.add_argument("--epochs", type=int, default=8, help="of the student of the edge package, when it is made")
    parser.add_argument("--fresh", action="store_true", help="make what was kept anew")
    parser.add_argument("--without", default="", help="comma list of tools that are left out")
    parser.add_argument("--only", nargs="*", default=[], help="parts of the ablation: int8, int4, pruning, ...")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a run sets it: other programs share the cores
    os.environ.setdefault("DEEPSEEK_HOME", str(Path(tempfile.gettempdir()) / "deepseek-benchmarks"))
    import torch

    from benchmarks.compression.race import conditions

    torch.set_num_threads(options.threads)
    found: dict[str, Any] = {"before": conditions(), "threads": options.threads, "torch": torch.__version__}
    print(f"{found['before']}, {options.threads} threads, {torch.backends.cpu.get_cpu_capability()}")
    rows = _parts()
    for name in PARTS if "all" in options.what else options.what:
        try:
            found[name] = rows[name](options)
        except (SystemExit, RuntimeError, OSError) as error:  # the other rows are still worth their time
            found[name] = {"measured": False, "reason": str(error)}
            print(f"\n{name}: not measured: {error}", flush=True)
        if options.json:
            options.json.write_text(json.dumps({**found, "after": conditions()}, indent=1))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
