"""The ladder of precisions: which rungs a device has, and how to compute on one.

Called by the probe, the precision controller and the plan. A rung is what one optimiser step computes in; weights stay
in fp32 on all of them. Must not know models.

Sources: PyTorch, "Automatic mixed precision" (autocast) and "CUDA semantics", section TF32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from engine.compute.devices import check_precision, precisions_of

RungName = Literal["fp32", "tf32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One precision.

    Attributes
    ----------
    dtype
        What autocast computes matrix products and convolutions in; None: in fp32, or TF32 inside the kernels.
    scaled
        True when gradients fall below the smallest number of the type, so that the loss must be scaled.
    """

    name: RungName
    dtype: torch.dtype | None
    scaled: bool


RUNGS: dict[str, Rung] = {
    "fp16": Rung("fp16", torch.float16, True),
    "bf16": Rung("bf16", torch.bfloat16, False),
    "tf32": Rung("tf32", None, False),
    "fp32": Rung("fp32", None, False),
}


def legal_rungs(device: torch.device) -> list[Rung]:
    """The rungs that a device has, from fastest-looking to safest; fp32 is the last.

    Whether a rung pays is another question: bf16 is legal on every CPU and slower than fp32 on an old one.

    >>> [rung.name for rung in legal_rungs(torch.device("cpu"))]
    ['bf16', 'fp32']
    """
    return [RUNGS[name] for name in precisions_of(str(device))]


def rung(name: str, device: torch.device) -> Rung:
    """The rung of that name.

    Raises
    ------
    UserError
        When the device has it not; the hint lists those it has.

    Examples
    --------
    >>> rung("bf16", torch.device("cpu")).dtype
    torch.bfloat16
    >>> rung("fp16", torch.device("cpu"))
    Traceback (most recent call last):
    engine.errors.UserError: This machine has no precision fp16 on cpu
    """
    check_precision(name, str(device))
    return RUNGS[name]


@contextmanager
def autocast(rung: Rung, device: torch.device) -> Iterator[None]:
    """Compute on a rung: the forward pass and the loss belong inside.

    The backward pass takes its types from the forward pass, except for TF32, which is read as each kernel starts:
    wrap it in :func:`kernels` (the optimiser's step has no matrix products on any rung, Muon's aside).

    >>> with autocast(RUNGS["bf16"], torch.device("cpu")):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    torch.bfloat16
    """
    lower = rung.dtype is not None
    with kernels(rung, device), torch.autocast(device.type, dtype=rung.dtype, enabled=lower):
        yield


@contextmanager
def kernels(rung: Rung, device: torch.device) -> Iterator[None]:
    """Let fp32 products on CUDA run as TF32 inside, on that rung; exactly on the others. Costs a microsecond."""
    if device.type != "cuda":
        yield
        return
    before = tf32()
    set_tf32(rung.name == "tf32")
    try:
        yield
    finally:
        set_tf32(before)


def tf32() -> bool:
    """True when fp32 matrix products on CUDA may run as TF32."""
    return bool(torch.backends.cuda.matmul.allow_tf32)


def set_tf32(allowed: bool) -> None:
    """Allow TF32 in matrix products and convolutions, or forbid it.

    By PyTorch's older switches on purpose: ``cudnn.flags`` and the compiler read them, and reading an old switch after
    a new one (``fp32_precision``) was set is an error.
    """
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
