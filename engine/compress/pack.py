"""From a compressed network to a model that predicts, and a report of what it cost and gained.

Called by the compress blocks and the search. The file is checked against the network that was simulated before it is
accepted, and both models are timed in turns on this machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.artifacts import ArtifactStore, ModelRef
from engine.compress import dynamic_layers, int4_groups
from engine.compress.graph import traced
from engine.compress.int4_onnx import write_groups
from engine.compress.mixed_onnx import narrow
from engine.compress.rounding import onnx_translations
from engine.compress.sensitivity import relative_error
from engine.errors import UserError
from engine.runtime.measure import compare
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session, to_onnx
from engine.runtime.variants import add_variant
from engine.runtime.verify import verify

TIMING_S = 1.5
NEAR = 0.05
"""A file that moves the outputs by less than this share of their spread computes what was simulated."""
SLOWER = 1.1
SLOWER_MS = 0.05
FREE = ("language_model", "masked_lm")
"""Tasks whose texts have any length; others are filled up to one."""


@dataclass(frozen=True)
class Packed:
    """A compressed model.

    Attributes
    ----------
    report
        ``size_before_bytes``, ``size_after_bytes`` (also as ``size_before`` and ``size_after``), ``shrunk`` (share that
        is gone); ``eager_ms``, ``before_ms`` and ``after_ms``: median latency of one example in PyTorch, in the runtime
        before and after; ``speed_up`` and ``speed_up_eager``; ``error``: mean difference of the outputs, relative to
        their spread; ``agreement``: share of examples with the same answer; and, where there are labels,
        ``accuracy_before``, ``accuracy_after`` and ``drop``; of a language model ``perplexity_before`` and
        ``perplexity_after``.
    is_slower
        Whether it takes clearly longer than the same network in floats, in the same runtime.
    """

    model: ModelRef
    report: dict[str, float]

    @property
    def is_slower(self) -> bool:
        """More than a tenth, and more than the twentieth of a millisecond."""
        before, after = self.report["before_ms"], self.report["after_ms"]
        return after > SLOWER * before and after - before > SLOWER_MS


def pack(
    store: ArtifactStore,
    spec: ModelSpec,
    original: nn.Module,
    compressed: nn.Module,
    x: Tensor,
    *,
    variant: str,
    threads: int,
    labels: Tensor | None = None,
    files: Mapping[str, bytes | Path] | None = None,
    check: Callable[[], None] = lambda: None,
) -> Packed:
    """Write a compressed network as an ONNX variant, check it, and measure it.

    Parameters
    ----------
    spec
        Of the original model.
    x
        Inputs to check with, (B, ...), at least two.
    variant
        Its name in ``model.json``, such as ``"int8"``.
    threads
        Of PyTorch and of the runtime alike.
    labels
        int64 (B,): the true classes, where they are known.
    files
        What else belongs to the model, such as its tokenizer.

    Raises
    ------
    UserError
        When the file does not compute what was simulated.
    """
    free = spec.task in FREE
    content = written(compressed, x[:2], free_length=free)
    check()
    before = plain(original, x[:2], free_length=free)
    check()
    small, large = Session(content, threads), Session(before, threads)
    with torch.inference_mode():
        true, simulated = original.eval()(x).float(), compressed(x).float()
    found = torch.from_numpy(small.run(x.numpy()))
    if not relative_error(found, simulated) < NEAR:
        verify(simulated, found)
    sizes = {"size_before": float(len(before)), "size_after": float(len(content))}
    report = {
        **sizes,
        **{f"{name}_bytes": size for name, size in sizes.items()},
        "shrunk": 1 - len(content) / len(before),
        "error": float((found - true).abs().mean() / true.std().clamp(min=1e-12)),
    }
    if spec.task in ("classification", *FREE):
        report["agreement"] = _share(found.argmax(-1) == true.argmax(-1))
    if spec.task == "language_model":
        report |= {f"perplexity_{when}": _perplexity(y, x) for when, y in (("before", true), ("after", found))}
    if labels is not None:
        right = {
            "accuracy_before": _share(true.argmax(1) == labels),
            "accuracy_after": _share(found.argmax(1) == labels),
        }
        report |= {**right, "drop": right["accuracy_before"] - right["accuracy_after"]}
    report |= _speed(original, large, small, x[:1], check)
    base = save_model(store, spec.model_copy(update={"variants": {}}), files=files)
    return Packed(add_variant(store, base, variant, content), report)


def written(compressed: nn.Module, x: Tensor, *, free_length: bool = False) -> bytes:
    """A compressed network as an ONNX file, with every rounded weight kept as whole numbers."""
    table = {**onnx_translations(), **int4_groups.translations(), **dynamic_layers.translations()}
    return narrow(write_groups(to_onnx(compressed, x, table, free_length=free_length)))


def plain(original: nn.Module, x: Tensor, *, free_length: bool = False) -> bytes:
    """The original as an ONNX file in floats, with its normalisation folded where that is possible."""
    module = original
    if x.is_floating_point():
        with contextlib.suppress(UserError):
            module = traced(original, x)
    return to_onnx(module, x, free_length=free_length)


def _perplexity(outputs_BTV: Tensor, x_BT: Tensor) -> float:
    """How many tokens each next one is as uncertain as a choice among."""
    loss = functional.cross_entropy(outputs_BTV[:, :-1].flatten(0, 1), x_BT[:, 1:].flatten())
    return float(loss.exp())


def _share(is_so: Tensor) -> float:
    return float(is_so.float().mean())


def _speed(
    original: nn.Module, large: Session, small: Session, one: Tensor, check: Callable[[], None]
) -> dict[str, float]:
    """Median latency of one example, eager PyTorch by the faster of its two memory formats."""
    calls: dict[str, Callable[[], object]] = {
        "before": lambda: large.run(one.numpy()),
        "after": lambda: small.run(one.numpy()),
        "eager": _eager(original, one),
    }
    if one.ndim == 4:
        # A copy of the pixels in the other order; the weights follow, which changes no value.
        calls["eager_channels_last"] = _eager(original, one.contiguous(memory_format=torch.channels_last))
    found = compare(calls, TIMING_S, check)
    eager_ms = min(found[name].p50_ms for name in found if name.startswith("eager"))
    before_ms, after_ms = found["before"].p50_ms, found["after"].p50_ms
    return {
        "eager_ms": eager_ms,
        "before_ms": before_ms,
        "after_ms": after_ms,
        "speed_up": before_ms / after_ms,
        "speed_up_eager": eager_ms / after_ms,
    }


def _eager(module: nn.Module, one: Tensor) -> Callable[[], object]:
    @torch.inference_mode()
    def call() -> object:
        return module(one)

    return call


def preview(report: Mapping[str, float]) -> dict[str, Any]:
    """The report as it is shown on a block."""
    return {"kind": "metrics", "values": dict(report)}
