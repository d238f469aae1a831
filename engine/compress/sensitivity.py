"""How much the answers suffer when one layer alone gets fewer bits.

Called by the quantisers that choose bits, by the blocks that show it, and by the search. Only weights are rounded here;
what rounding of activations costs is in the table of ranges.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.compress.graph import CONVOLUTIONS
from engine.compress.int4_groups import from_groups
from engine.compress.int4_solve import group_scales, nearest
from engine.compress.rounding import Grid, round_trip, symmetric_scale

Figure = dict[str, Any]
EXAMPLES = 32
GROUP = 32
LAYERS = (nn.Linear, nn.Embedding, *CONVOLUTIONS)
SHOWN = 120


@dataclass(frozen=True)
class LayerSensitivity:
    """What one layer costs at a number of bits.

    Attributes
    ----------
    error
        Root of the mean squared change of the network's outputs, relative to their spread.
    bytes_before, bytes_after
        Of the layer's weight: in float32, and with so many bits and their scales.
    """

    layer: str
    bits: int
    error: float
    bytes_before: int
    bytes_after: int


def sensitivity(
    module: nn.Module,
    batches: Sequence[Tensor],
    *,
    bits: Collection[int] = (8, 4),
    check: Callable[[], None] = lambda: None,
) -> list[LayerSensitivity]:
    """Round each layer's weight alone, to the nearest, and see how far the outputs move.

    Parameters
    ----------
    module
        Left untouched.
    batches
        Inputs as the network takes them; the first 32 examples are used.
    bits
        From 2 to 8.
    check
        Called before each measurement; may raise to stop.

    Returns
    -------
    list
        One for each layer with a weight and each number of bits, in the order of the network. Weights of linear layers
        and tables are rounded in groups of 32, those of convolutions by channel. Layers that the network does not use
        do not appear, and a weight that two layers share appears once.

    Notes
    -----
    Source: K. Wang et al., "HAQ: hardware-aware automated quantization", CVPR 2019, section 4.1, with the change of the
    outputs in place of the loss, which needs no labels.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> rows = sensitivity(net, [torch.randn(16, 4)])
    >>> [(row.layer, row.bits) for row in rows]
    [('0', 8), ('0', 4), ('2', 8), ('2', 4)]
    >>> rows[1].error > rows[0].error
    True
    """
    copied = copy.deepcopy(module).eval()
    x = batches[0][:EXAMPLES]
    used = _used(copied, x)
    with torch.no_grad():
        true = copied(x)
        rows = []
        for name, layer in used.items():
            kept = layer.weight.data
            for number in bits:
                check()
                layer.weight.data, size = rounded(kept, number, is_convolution=isinstance(layer, CONVOLUTIONS))
                rows.append(LayerSensitivity(name, number, relative_error(copied(x), true), 4 * kept.numel(), size))
            layer.weight.data = kept
    return rows


def rounded(weight: Tensor, bits: int, *, is_convolution: bool) -> tuple[Tensor, int]:
    """A weight rounded to the nearest, and the bytes that it then takes."""
    if is_convolution:
        top = 2 ** (bits - 1) - 1
        scale, zero = symmetric_scale(weight, Grid(-top, top))
        return round_trip(weight, scale, zero, 0, -top, top), weight.numel() * bits // 8 + 4 * len(weight)
    scale, zero = group_scales(weight, torch.ones(weight.shape[1]), bits=bits, group=GROUP)
    made = from_groups(nearest(weight, scale, zero, bits, GROUP), scale, zero, bits, GROUP)
    packed = scale.shape[1] * GROUP * bits // 8
    return made, len(weight) * (packed + 4 * scale.shape[1] + (scale.shape[1] * bits + 7) // 8)


def relative_error(found: Tensor, true: Tensor) -> float:
    """Root of the mean squared difference, relative to the spread of what is true."""
    found, true = found.detach().float(), true.detach().float()
    return float((found - true).square().mean().sqrt() / true.std().clamp(min=1e-12))


def _used(module: nn.Module, x: Tensor) -> dict[str, Any]:
    """The layers with weights that a forward pass calls, in its order."""
    used: dict[str, Any] = {}
    seen: set[int] = set()
    hooks = []

    def note(name: str, layer: Any) -> Callable[..., None]:
        def hook(*_: object) -> None:
            if id(layer.weight) not in seen:
                seen.add(id(layer.weight))
                used[name] = layer

        return hook

    for name, layer in module.named_modules():
        if isinstance(layer, LAYERS):
            hooks.append(layer.register_forward_hook(note(name, layer)))
    try:
        with torch.no_grad():
            module(x[:1])
    finally:
        for one in hooks:
            one.remove()
    return used


def figure(rows: Sequence[LayerSensitivity], chosen: Mapping[str, int] | None = None) -> Figure:
    """A heat map: layers from top to bottom, bits from left to right, the error as the colour.

    Parameters
    ----------
    rows
        As measured. Of more than 120 layers the most sensitive are shown.
    chosen
        Layer -> the bits it was given, marked; layers that stay in floats are left out.

    Returns
    -------
    dict
        Plotly's ``data`` and ``layout``.

    Examples
    --------
    >>> figure([LayerSensitivity("fc", 4, 0.02, 400, 60)])["data"][0]["z"]
    [[2.0]]
    """
    worst: dict[str, float] = {}
    for row in rows:
        worst[row.layer] = max(worst.get(row.layer, 0.0), row.error)
    shown = set(sorted(worst, key=lambda name: -worst[name])[:SHOWN])
    layers = [name for name in worst if name in shown]
    bits = sorted({row.bits for row in rows}, reverse=True)
    found = {(row.layer, row.bits): row for row in rows}
    cells = [[found.get((name, number)) for number in bits] for name in layers]
    heat: dict[str, Any] = {
        "type": "heatmap",
        "x": [f"{number} bits" for number in bits],
        "y": layers,
        "z": [[None if cell is None else round(100 * cell.error, 4) for cell in row] for row in cells],
        "customdata": [[0 if cell is None else cell.bytes_before - cell.bytes_after for cell in row] for row in cells],
        "colorscale": [[0, "#eef2fb"], [0.35, "#e8b04a"], [1, "#b3261e"]],
        "colorbar": {"title": {"text": "% of the spread"}},
        "hovertemplate": "%{y}<br>%{x}: outputs move by %{z:.3f} %<br>saves %{customdata:,} bytes<extra></extra>",
        "xgap": 2,
        "ygap": 1,
    }
    data = [heat]
    if chosen:
        marked = [name for name in layers if chosen.get(name) in bits]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "chosen",
                "x": [f"{chosen[name]} bits" for name in marked],
                "y": marked,
                "marker": {"symbol": "circle-open", "size": 9, "color": "#1b1f2a", "line": {"width": 2}},
                "hovertemplate": "%{y}: %{x}<extra>%{fullData.name}</extra>",
                "showlegend": False,
            }
        )
    layout = {
        "xaxis": {"type": "category", "side": "top"},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "height": max(260, 90 + 18 * len(layers)),
        "margin": {"l": 160, "r": 20, "t": 40, "b": 20},
    }
    return {"data": data, "layout": layout}
