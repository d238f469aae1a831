"""Dynamic INT8: linear layers in whole numbers, with ranges read off each input as it comes; tables in groups.

Called by the compress blocks and the search. For transformers, whose activations vary more from input to input than one
fixed range can hold. What is ours: weights are rounded with their error carried on; a layer whose inputs do not bear
one range is computed in blocks with a range each; and a table gets 4 bits where that is measured to be enough, else 8.
The kernels are the runtime's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compress.dynamic_layers import DynamicLinear, round_by_itself
from engine.compress.int4 import RoundedLayer, grouped, observed, replaced, report, solve_layer
from engine.compress.int4_solve import Solved, carried
from engine.compress.rounding import WEIGHTS, symmetric_scale
from engine.compress.sensitivity import relative_error

EXAMPLES = 32
MOST_INPUT_ERROR = 2e-3
"""Squared error of a layer's products from rounding its inputs with one range, relative to their size."""
MOST_TABLE_ERROR = 1.5
"""How far the outputs may move with tables of 4 bits, as a multiple of how far they move with tables of 8 bits."""


@dataclass(frozen=True)
class Dynamic:
    """A network whose linear layers compute in whole numbers.

    Attributes
    ----------
    module
        Computes as the runtime will; can be exported.
    layers
        Name -> what became of its weight.
    in_blocks
        Layers whose inputs are rounded block by block.
    kept
        Layers with weights that stay in floats.
    """

    module: nn.Module
    layers: dict[str, RoundedLayer]
    in_blocks: tuple[str, ...]
    kept: tuple[str, ...]


def quantize_dynamic(
    module: nn.Module,
    batches: Sequence[Tensor],
    *,
    kept: Collection[str] = (),
    tables: Literal["measured", "4", "8", "float"] = "measured",
    compensate: bool = True,
    blocks: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Dynamic:
    """Let linear layers compute in 8 bits.

    Parameters
    ----------
    module
        Trained; left untouched. On the CPU.
    batches
        Inputs as the network takes them, each (B, ...): float32, or int64 tokens.
    kept
        Names of layers that stay in floats.
    tables
        Bits of tables of words.
    compensate
        Whether the error of rounding a weight is carried on.
    blocks
        Whether layers whose inputs do not bear one range are computed in blocks.
    check
        Called often; may raise to stop.

    Raises
    ------
    UserError
        When there is no data, or no layer that could be rounded.

    Notes
    -----
    Sources: O. Zafrir et al., "Q8BERT: quantized 8 bit BERT", 2019; T. Dettmers et al., "LLM.int8()", NeurIPS 2022, for
    why one range is not always enough.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    >>> x = torch.randn(64, 64)
    >>> small = quantize_dynamic(net, [x])
    >>> relative_error(small.module(x), net(x)) < 0.02
    True
    """
    seen = {name: one for name, one in observed(module, batches, check).items() if name not in kept}
    x = batches[0][:EXAMPLES]
    hard = _hard_inputs(module, x, seen) if blocks else frozenset()
    made: dict[str, Made] = {}
    narrow: dict[str, Made] = {}
    for name, one in seen.items():
        check()
        layer = module.get_submodule(name)
        if isinstance(layer, nn.Embedding):
            if tables in ("8", "measured"):
                made[name] = solve_layer(module, name, one, bits=8, check=check)
            if tables in ("4", "measured"):
                narrow[name] = solve_layer(module, name, one, bits=4, check=check)
        elif name in hard:
            made[name] = solve_layer(module, name, one, bits=8, check=check)
        else:
            assert isinstance(layer, nn.Linear)
            made[name] = _whole(layer, one.moments, compensate, check)
    if tables == "4" or (tables == "measured" and narrow and _bears(module, x, made, {**made, **narrow})):
        made |= narrow
    copied, left = _assembled(module, made)
    layers = {name: report(found) if isinstance(found, Solved) else _report(found) for name, found in made.items()}
    return Dynamic(copied, layers, tuple(name for name in made if name in hard), left)


@dataclass(frozen=True)
class _Whole:
    """A weight with one scale for each row: int8 (N, K) and float32 (N,)."""

    codes: Tensor
    scale: Tensor
    error: float


Made = _Whole | Solved


def _report(found: _Whole) -> RoundedLayer:
    rows, columns = found.codes.shape
    return RoundedLayer(8, columns, found.error, 4 * rows * columns, rows * columns + 4 * rows)


def _whole(layer: nn.Linear, moments: Tensor | None, compensate: bool, check: Callable[[], None]) -> _Whole:
    weight = layer.weight.detach().float()
    scale, _ = symmetric_scale(weight)

    def step(values: Tensor, column: int) -> tuple[Tensor, Tensor]:
        code = (values / scale).round().clamp_(WEIGHTS.low, WEIGHTS.high)
        return code, code * scale

    if compensate and moments is not None:
        codes = carried(weight, moments, step, check)
    else:
        codes = (weight / scale[:, None]).round().clamp(WEIGHTS.low, WEIGHTS.high)
    wrong = codes * scale[:, None] - weight
    full = torch.eye(weight.shape[1]) if moments is None else moments
    total = float(((weight @ full) * weight).sum())
    return _Whole(codes.to(torch.int8), scale, float(((wrong @ full) * wrong).sum()) / max(total, 1e-30))


def _assembled(module: nn.Module, made: Mapping[str, Made]) -> tuple[nn.Module, tuple[str, ...]]:
    def make(name: str, layer: nn.Linear | nn.Embedding) -> nn.Module:
        found = made[name]
        if isinstance(found, Solved):
            return grouped(layer, found.groups)
        return DynamicLinear(found.codes, found.scale, layer.bias if isinstance(layer, nn.Linear) else None)

    return replaced(module, made, make)


def _bears(module: nn.Module, x: Tensor, wide: Mapping[str, Made], narrow: Mapping[str, Made]) -> bool:
    """True when tables of 4 bits move the outputs by little more than everything else does."""
    with torch.no_grad():
        true = replaced(module, (), lambda _, layer: layer)[0](x)
        least = relative_error(_assembled(module, wide)[0](x), true)
        return relative_error(_assembled(module, narrow)[0](x), true) <= MOST_TABLE_ERROR * least


def _hard_inputs(module: nn.Module, x: Tensor, names: Collection[str]) -> frozenset[str]:
    """Linear layers whose products err too much when their inputs are rounded with one range."""
    copied = copy.deepcopy(module).eval()
    hard = set()
    hooks = []

    def note(name: str) -> Callable[..., None]:
        def hook(layer: nn.Linear, inputs: tuple[Tensor, ...], _: Tensor) -> None:
            wrong = functional.linear(round_by_itself(inputs[0]) - inputs[0], layer.weight)
            plain = functional.linear(inputs[0], layer.weight)
            if float(wrong.square().sum()) > MOST_INPUT_ERROR * float(plain.square().sum()):
                hard.add(name)

        return hook

    for name in names:
        layer = copied.get_submodule(name)
        if isinstance(layer, nn.Linear):
            hooks.append(layer.register_forward_hook(note(name)))
    with torch.no_grad():
        copied(x)
    return frozenset(hard)
