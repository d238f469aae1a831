"""Which whole numbers stand for a weight: scales by searching, rounding with its error carried on, scales once more.

Called by the quantisers of weights. Pure functions of a matrix and of the second moments of what it is multiplied with;
must not know networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from engine.compress.int4_groups import Groups, from_groups

SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65)
DAMPING = 0.01
BLOCK = 128
ROWS = 2048


@dataclass(frozen=True)
class Solved:
    """A rounded weight.

    Attributes
    ----------
    groups
        The whole numbers.
    error
        Squared error of what the layer makes, relative to its size.
    """

    groups: Groups
    error: float


def solve(
    weight: Tensor,
    moments: Tensor | None = None,
    *,
    bits: int = 4,
    group: int = 32,
    search: bool = True,
    compensate: bool = True,
    refit: bool = True,
    check: Callable[[], None] = lambda: None,
) -> Solved:
    """Round a matrix to groups of whole numbers so that its products err little.

    Parameters
    ----------
    weight
        float32 (N, K).
    moments
        float32 (K, K): the sum of ``x x'`` over inputs; None: every column counts alike.
    search
        Whether the ends of each group's range are searched, by the error weighted with the size of the inputs.
    compensate
        Whether each column's error is carried on to the columns that are still to be rounded.
    refit
        Whether the scales are solved once more, exactly, for the whole numbers that were found.

    Notes
    -----
    Carrying the error on: E. Frantar et al., "GPTQ: accurate post-training quantization for generative pre-trained
    transformers", 2022, with the columns in the order of their inputs' size and groups fixed before. What is ours: the
    ranges are searched with the inputs' weight, and the scales are solved for afterwards.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> weight, x = torch.randn(8, 64), torch.randn(256, 64) @ torch.randn(64, 64)
    >>> plain = solve(weight, x.T @ x, search=False, compensate=False, refit=False)
    >>> solve(weight, x.T @ x).error < 0.7 * plain.error
    True
    """
    weight = weight.detach().float()
    columns = weight.shape[1]
    full = torch.eye(columns) if moments is None else moments.float()
    importance = full.diagonal().clone()
    if not bool(importance.any()):  # nothing was seen: every column counts alike
        full, importance = torch.eye(columns), torch.ones(columns)
    scale, zero = group_scales(weight, importance, bits=bits, group=group, shares=SHARES if search else (1.0,))
    if compensate and moments is not None:
        codes = _compensated(weight, full, scale, zero, bits, group, check)
    else:
        codes = nearest(weight, scale, zero, bits, group)
    groups = Groups(codes, scale, zero, bits, group)
    found = error_of(groups, weight, full)
    if refit:
        fitted = Groups(codes, _refitted(weight, full, groups), zero, bits, group)
        improved = error_of(fitted, weight, full)
        if improved < found:
            groups, found = fitted, improved
    return Solved(groups, found)


def group_scales(
    weight: Tensor, importance: Tensor, *, bits: int, group: int, shares: tuple[float, ...] = SHARES
) -> tuple[Tensor, Tensor]:
    """Scale and zero point of every group: of the shrunken ranges the one with the smallest weighted squared error.

    Parameters
    ----------
    weight
        float32 (N, K).
    importance
        float32 (K,): how much an error in a column counts.
    shares
        How much of the range from the smallest to the largest value is covered.

    Returns
    -------
    tuple
        float32 (N, G), and uint8 (N, G).
    """
    # Some rows at a time, which stay in the cache: a table of words has tens of thousands.
    parts = [_group_scales(rows, importance, bits, group, shares) for rows in torch.split(weight, ROWS)]
    return torch.cat([scale for scale, _ in parts]), torch.cat([zero for _, zero in parts])


def _group_scales(
    weight: Tensor, importance: Tensor, bits: int, group: int, shares: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    top = 2**bits - 1
    missing = -weight.shape[1] % group
    blocks_NGg = functional.pad(weight, (0, missing)).reshape(len(weight), -1, group)
    weights_1Gg = functional.pad(importance, (0, missing)).reshape(1, -1, group)
    low, high = blocks_NGg.amin(2).clamp(max=0.0), blocks_NGg.amax(2).clamp(min=0.0)
    best = torch.full_like(low, torch.inf)
    scale, zero = torch.ones_like(low), torch.zeros_like(low)
    for share in shares:
        step = (high - low) * share / top
        step = torch.where(step > 0, step, torch.ones_like(step))
        start = (-low * share / step).round().clamp(0, top)
        rounded = (blocks_NGg / step[..., None]).round_().add_(start[..., None]).clamp_(0, top)
        rounded = rounded.sub_(start[..., None]).mul_(step[..., None])
        error = (rounded.sub_(blocks_NGg).square_() * weights_1Gg).sum(2)
        better = error < best
        best = torch.where(better, error, best)
        scale, zero = torch.where(better, step, scale), torch.where(better, start, zero)
    return scale, zero.to(torch.uint8)


def nearest(weight: Tensor, scale: Tensor, zero: Tensor, bits: int, group: int) -> Tensor:
    """The whole numbers nearest to a weight: uint8 (N, K)."""
    columns = weight.shape[1]
    wide_scale = scale.repeat_interleave(group, 1)[:, :columns]
    wide_zero = zero.repeat_interleave(group, 1)[:, :columns].float()
    return (weight / wide_scale).round().add(wide_zero).clamp(0, 2**bits - 1).to(torch.uint8)


def error_of(groups: Groups, weight: Tensor, moments: Tensor) -> float:
    """Squared error of the products, relative to their size."""
    made = from_groups(groups.codes, groups.scale, groups.zero, groups.bits, groups.group)
    wrong = made - weight
    total = float(((weight @ moments) * weight).sum())
    return float(((wrong @ moments) * wrong).sum()) / max(total, 1e-30)


def carried(
    weight: Tensor,
    moments: Tensor,
    step: Callable[[Tensor, int], tuple[Tensor, Tensor]],
    check: Callable[[], None] = lambda: None,
) -> Tensor:
    """Round column after column and carry each error on to the columns that are left.

    Parameters
    ----------
    weight
        float32 (N, K).
    moments
        float32 (K, K), as in :func:`solve`.
    step
        A column's values (N,) and its number -> its whole numbers (N,), and the floats that these stand for (N,).

    Returns
    -------
    Tensor
        The whole numbers: float32 (N, K).

    Notes
    -----
    Source: E. Frantar et al., GPTQ, 2022, algorithm 1. The largest inputs come first, since what comes first is rounded
    with the most room left to repair it.
    """
    order = moments.diagonal().argsort(descending=True)
    remaining = weight[:, order].clone()
    upper = _inverse_root(moments[order][:, order])
    codes = torch.empty_like(remaining)
    columns = remaining.shape[1]
    for first in range(0, columns, BLOCK):
        check()
        last = min(first + BLOCK, columns)
        errors = torch.empty(len(remaining), last - first)
        for column in range(first, last):
            codes[:, column], made = step(remaining[:, column], int(order[column]))
            error = (remaining[:, column] - made) / upper[column, column]
            remaining[:, column:last] -= error[:, None] * upper[column, column:last]
            errors[:, column - first] = error
        remaining[:, last:] -= errors @ upper[first:last, last:]
    return codes[:, order.argsort()]


def _compensated(
    weight: Tensor,
    moments: Tensor,
    scale: Tensor,
    zero: Tensor,
    bits: int,
    group: int,
    check: Callable[[], None],
) -> Tensor:
    top, start = 2**bits - 1, zero.float()

    def step(values: Tensor, column: int) -> tuple[Tensor, Tensor]:
        own_scale, own_zero = scale[:, column // group], start[:, column // group]
        code = (values / own_scale).round().add_(own_zero).clamp_(0, top)
        return code, (code - own_zero) * own_scale

    return carried(weight, moments, step, check).to(torch.uint8)


def _inverse_root(moments: Tensor) -> Tensor:
    """The upper triangle U with ``U' U`` the inverse of the moments, which are damped until that exists."""
    damping = DAMPING
    mean = float(moments.diagonal().mean())
    while True:
        damped = moments + torch.eye(len(moments)) * (damping * mean)
        lower, failed = torch.linalg.cholesky_ex(damped)
        if not int(failed):
            upper, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
            if not int(failed):
                found: Tensor = upper
                return found
        damping *= 10


def _refitted(weight: Tensor, moments: Tensor, groups: Groups) -> Tensor:
    """The scales that err least for given whole numbers: for each row a small system of equations."""
    count = groups.scale.shape[1]
    missing = count * groups.group - weight.shape[1]
    wide = functional.pad(moments, (0, missing, 0, missing)).reshape(count, groups.group, count, groups.group)
    parts = zip(
        torch.split(weight, ROWS),
        torch.split(groups.codes, ROWS),
        torch.split(groups.zero, ROWS),
        torch.split(groups.scale, ROWS),
        strict=True,
    )
    return torch.cat([_refitted_rows(rows @ moments, wide, *held) for rows, *held in parts])


def _refitted_rows(target: Tensor, wide: Tensor, codes: Tensor, zero: Tensor, scale: Tensor) -> Tensor:
    rows, columns = codes.shape
    count, group = wide.shape[:2]
    missing = count * group - columns
    steps = codes.float() - zero.repeat_interleave(group, 1)[:, :columns].float()
    steps_NGg = functional.pad(steps, (0, missing)).reshape(rows, count, group)
    right_NG = (functional.pad(target, (0, missing)).reshape(rows, count, group) * steps_NGg).sum(2)
    system_NGG = torch.empty(rows, count, count)
    for one in range(count):
        through = (steps_NGg[:, one] @ wide[one].reshape(group, -1)).reshape(rows, count, group)
        system_NGG[:, one] = (through * steps_NGg).sum(2)
    # Towards the scales that are there, so that a group that was hardly seen keeps its own.
    ridge_N1 = 1e-4 * system_NGG.diagonal(dim1=1, dim2=2).mean(1, keepdim=True).clamp(min=1e-12)
    system_NGG += torch.diag_embed(ridge_N1.expand(-1, count))
    fitted = torch.linalg.solve(system_NGG, right_NG + ridge_N1 * scale)
    is_sane = torch.isfinite(fitted) & (fitted > 0.5 * scale) & (fitted < 2 * scale)
    found: Tensor = torch.where(is_sane.all(1, keepdim=True), fitted, scale)
    return found
