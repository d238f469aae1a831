"""The controller that a plan asks for.

Called by the training loop, before it makes the optimiser: weights may be raised to fp32 here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from engine.compute.rungs import RUNGS, Rung, legal_rungs, rung
from engine.learn.precision import explain
from engine.learn.precision.controller import PrecisionController
from engine.learn.precision.options import PrecisionOptions
from engine.learn.precision.weights import low_weights, raise_weights


def make_controller(
    precision: str,
    module: nn.Module,
    device: torch.device,
    decide: explain.Decide,
    *,
    chosen: str = "fp32",
    options: PrecisionOptions | None = None,
    anywhere: Callable[[bool], bool] | None = None,
) -> PrecisionController:
    """Make the controller of a training.

    Parameters
    ----------
    precision
        ``"adaptive"``, or the name of a rung to stay on.
    anywhere
        As for :class:`PrecisionController`.
    chosen
        For ``"adaptive"``: the rung that a probe found fastest for this workload; fp32 where nothing was probed.

    Raises
    ------
    UserError
        When the device has no such precision.

    Examples
    --------
    >>> layer = nn.Linear(2, 2).bfloat16()
    >>> said = []
    >>> controller = make_controller(
    ...     "adaptive", layer, torch.device("cpu"), lambda *a, **_: said.append(a[2]), chosen="bf16"
    ... )
    >>> controller.rung.name, layer.weight.dtype, said
    ('bf16', torch.float32, ['The weights come in {dtype}: they are trained in fp32', 'Computing in {to}'])
    """
    options = options or PrecisionOptions()
    low = low_weights(module)
    native = low[0].dtype if low else None
    if low and options.weights == "master":
        explain.weights_raised(decide, 0, str(native).removeprefix("torch."), None)
        raise_weights(module)
    if precision != "adaptive":
        fixed = rung(precision, device)
        return PrecisionController([fixed], fixed, device, options=_fixed(options), decide=decide, anywhere=anywhere)
    start = rung(chosen, device)
    ladder = _ladder(device, start, native)
    if len(ladder) > 1:
        explain.started(decide, ladder[0].name, [candidate.name for candidate in ladder])
    return PrecisionController(ladder, ladder[0], device, options=options, decide=decide, anywhere=anywhere)


def _ladder(device: torch.device, start: Rung, native: torch.dtype | None) -> list[Rung]:
    """From where the training starts up to fp32.

    A network whose weights were made in bf16 reaches numbers that fp16 has not: it never goes there.
    """
    rungs = legal_rungs(device)
    if native == torch.bfloat16:
        rungs = [candidate for candidate in rungs if candidate.name != "fp16"]
    if start in rungs:
        rungs = rungs[rungs.index(start) :]
    return rungs or [RUNGS["fp32"]]


def _fixed(options: PrecisionOptions) -> PrecisionOptions:
    """A fixed precision is held to: faults are explained."""
    return replace(options, recover=False)
