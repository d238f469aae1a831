"""From a compressed network to a model that predicts, and a report of what it cost and gained.

Called by the compress blocks. The file is checked against the network that was simulated before it is accepted, and
both models are timed in turns on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from engine.artifacts import ArtifactStore, ModelRef
from engine.compress.graph import traced
from engine.compress.rounding import onnx_translations
from engine.errors import UserError
from engine.runtime.measure import compare
from engine.runtime.models import save_model
from engine.runtime.modelspec import ModelSpec
from engine.runtime.onnx_export import Session, to_onnx
from engine.runtime.variants import add_variant

LEAST_AGREEMENT = 0.98
TIMING_S = 1.5


@dataclass(frozen=True)
class Packed:
    """A compressed model.

    Attributes
    ----------
    report
        ``size_before``, ``size_after`` (bytes), ``shrunk`` (share that is gone); ``eager_ms``, ``before_ms`` and
        ``after_ms``: median latency of one example in PyTorch, in the runtime before and after; ``speed_up`` and
        ``speed_up_eager``; ``error``: mean difference of the outputs, relative to their spread; ``agreement``: share of
        examples with the same answer, for classifiers.
    """

    model: ModelRef
    report: dict[str, float]


def pack(
    store: ArtifactStore,
    spec: ModelSpec,
    original: nn.Module,
    compressed: fx.GraphModule,
    x: Tensor,
    *,
    variant: str,
    threads: int,
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

    Raises
    ------
    UserError
        When the file does not compute what was simulated.
    """
    content = to_onnx(compressed, x[:2], onnx_translations())
    check()
    before = to_onnx(traced(original, x[:2]), x[:2])
    check()
    small, large = Session(content, threads), Session(before, threads)
    with torch.inference_mode():
        true, simulated = original(x).float(), compressed(x).float()
    found = torch.from_numpy(small.run(x.numpy()))
    _accept(simulated, found)
    report = {
        "size_before": float(len(before)),
        "size_after": float(len(content)),
        "shrunk": 1 - len(content) / len(before),
        "error": float((found - true).abs().mean() / true.std().clamp(min=1e-12)),
    }
    if spec.task == "classification":
        report["agreement"] = float((found.argmax(1) == true.argmax(1)).float().mean())
    report |= _speed(original, large, small, x[:1], check)
    base = save_model(store, spec.model_copy(update={"variants": {}}))
    return Packed(add_variant(store, base, variant, content), report)


def _accept(simulated: Tensor, found: Tensor) -> None:
    """Refuse a file that computes something else; rounding of ties may differ in single values."""
    if simulated.ndim == 2 and simulated.shape[1] > 1:
        same = float((simulated.argmax(1) == found.argmax(1)).float().mean())
    else:
        same = float(((simulated - found).abs() < 0.05 * simulated.std().clamp(min=1e-6)).float().mean())
    if same < LEAST_AGREEMENT:
        raise UserError(
            "The written file answers {percent} % of the examples as the network does, which is too few",
            field="model",
            hint="Please report this model: the runtime computes one of its operators in another way.",
            percent=round(100 * same, 1),
        )


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
