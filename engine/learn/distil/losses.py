"""How far a student is from its teacher: in answers, in what layers put out, and in what is related to what.

Called by :class:`engine.learn.distil.guide.Guide` and the tasks. Pure functions of tensors; a gradient flows into the
student's alone, since the teacher's carry none. Nothing here has weights of its own: networks of different widths are
compared by relations, which have no width.

Legend of shapes: B examples, K classes, T tokens, D and E widths, C channels, H and W the sides of an image, R heads.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

MOST_HEADS = 12
HIDDEN = -1e4
"""A score that no softmax sees, and that is still a number."""


def softened(student_NK: Tensor, teacher_NK: Tensor, temperature: float) -> Tensor:
    """Divergence of the student's chances from the teacher's, both at a temperature, times its square.

    The square keeps the gradient's size whatever the temperature: G. Hinton, O. Vinyals, J. Dean, "Distilling the
    knowledge in a neural network", 2015, section 2.

    Parameters
    ----------
    student_NK, teacher_NK
        Scores before the softmax, (N, K).

    Returns
    -------
    Tensor
        Mean over the rows, >= 0; 0 when there is no row.

    Examples
    --------
    >>> import torch
    >>> scores = torch.tensor([[1.0, 2.0, 4.0]])
    >>> float(softened(scores, scores + 3, 2.0))
    0.0
    """
    student = functional.log_softmax(student_NK / temperature, dim=1)
    teacher = functional.log_softmax(teacher_NK / temperature, dim=1)
    total = functional.kl_div(student, teacher, reduction="sum", log_target=True)
    return temperature**2 * total / max(1, len(student_NK))


def hidden_difference(
    student: Tensor,
    teacher: Tensor,
    real: Tensor | None = None,
    teacher_real: Tensor | None = None,
    aligned: bool = True,
) -> Tensor:
    """How differently two layers see the same examples.

    Of equal shapes: the squared error (A. Romero et al., "FitNets", ICLR 2015). Of texts with equal tokens, and
    otherwise of examples: the squared error of all cosines between pairs, which needs no equal widths (F. Tung,
    G. Mori, "Similarity-preserving knowledge distillation", ICCV 2019). Each as a share of the variance that those of
    the teacher have, so that a strength means the same for all layers.

    Parameters
    ----------
    student, teacher
        (B, D) and (B, E), (B, T, D) and (B, S, E), or (B, C, H, W) each.
    real, teacher_real
        bool (B, T), (B, S): which tokens are not padding; None: all.
    aligned
        False: the tokens of both are not the same, so only whole examples can be compared.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> float(hidden_difference(x, x)), float(hidden_difference(x, torch.eye(2, 3)))
    (0.0, 0.0)
    """
    student, teacher = student.float(), teacher.float()
    if not aligned and student.ndim == 3:
        return _relative_error(_cosines(_pooled(student, real)), _cosines(_pooled(teacher, teacher_real)), None)
    if student.shape == teacher.shape:
        return _relative_error(student, teacher, None if student.ndim != 3 or real is None else real.unsqueeze(-1))
    if student.ndim == 3 and student.shape[:2] == teacher.shape[:2]:
        return _relative_error(_cosines(student), _cosines(teacher), _pairs(real))
    return _relative_error(_cosines(_pooled(student, real)), _cosines(_pooled(teacher, teacher_real)), None)


def map_difference(student_BCHW: Tensor, teacher_BCHW: Tensor) -> Tensor:
    """How differently two convolutional layers weigh the places of an image.

    A place's weight is the square of what all channels put out there, of length 1 over the image: S. Zagoruyko, N.
    Komodakis, "Paying more attention to attention", ICLR 2017, equation 2. The larger map is averaged down where the
    smaller divides it.

    >>> import torch
    >>> x = torch.rand(2, 3, 4, 4)
    >>> float(map_difference(x, torch.cat([x, x], 1))) < 1e-6
    True
    """
    student, teacher = (x.float().square().mean(1) for x in (student_BCHW, teacher_BCHW))
    student, teacher = _same_size(student, teacher)
    return (_unit(student.flatten(1)) - _unit(teacher.flatten(1))).square().sum(1).mean()


def relation_difference(student_BTD: Tensor, teacher_BTE: Tensor, real_BT: Tensor | None = None) -> Tensor:
    """Divergence of which tokens a student relates to which from what the teacher does.

    Queries (or keys, or values) are cut into as many heads for both; in each, the softmax of the scaled products of all
    pairs is compared: W. Wang et al., "MiniLMv2: Multi-head self-attention relation distillation", ACL 2021, section 3.

    Parameters
    ----------
    real_BT
        bool: which tokens are not padding; None: all.

    Examples
    --------
    >>> import torch
    >>> x = torch.rand(2, 5, 8)
    >>> abs(float(relation_difference(x, x))) < 1e-6
    True
    """
    heads = relation_heads(student_BTD.shape[-1], teacher_BTE.shape[-1])
    student, teacher = (_relations(x.float(), heads, real_BT) for x in (student_BTD, teacher_BTE))
    rows_BRT = (teacher.exp() * (teacher - student)).sum(-1)
    return _mean(rows_BRT.mean(1), real_BT)


def relation_heads(student_width: int, teacher_width: int) -> int:
    """Heads that two widths can both be cut into, at most 12.

    >>> relation_heads(384, 768), relation_heads(128, 384), relation_heads(7, 11)
    (12, 8, 1)
    """
    both = (n for n in range(MOST_HEADS, 0, -1) if not student_width % n and not teacher_width % n)
    return next(both)


def _relative_error(student: Tensor, teacher: Tensor, counted: Tensor | None) -> Tensor:
    error = (student - teacher).square()
    if counted is None:
        return error.mean() / teacher.var(unbiased=False).clamp(min=1e-6)
    weights = counted.float().expand_as(teacher)
    mean = _mean(teacher, weights)
    return _mean(error, weights) / _mean((teacher - mean).square(), weights).clamp(min=1e-6)


def _relations(x_BTD: Tensor, heads: int, real_BT: Tensor | None) -> Tensor:
    """Logarithms of the shares that each token gives to each: (B, R, T, T)."""
    x_BRTK = x_BTD.reshape(*x_BTD.shape[:2], heads, -1).transpose(1, 2)
    scores = x_BRTK @ x_BRTK.transpose(-1, -2) / x_BRTK.shape[-1] ** 0.5
    if real_BT is not None:
        scores = scores.masked_fill(~real_BT[:, None, None], HIDDEN)
    return functional.log_softmax(scores, dim=-1)


def _cosines(x: Tensor) -> Tensor:
    """Of all pairs of rows: (..., N, D) -> (..., N, N)."""
    unit = _unit(x)
    return unit @ unit.transpose(-1, -2)


def _unit(x: Tensor) -> Tensor:
    # a root of 0 has no gradient: a row of zeros stays one by the summand
    return x * (x.square().sum(-1, keepdim=True) + 1e-12).rsqrt()


def _pairs(real_BT: Tensor | None) -> Tensor | None:
    return None if real_BT is None else real_BT[:, :, None] & real_BT[:, None, :]


def _mean(values: Tensor, counted: Tensor | None) -> Tensor:
    if counted is None:
        return values.mean()
    weights = counted.float()
    return (values * weights).sum() / weights.sum().clamp(min=1)


def _pooled(x: Tensor, real: Tensor | None) -> Tensor:
    """One row for each example: the mean over its tokens or places."""
    if x.ndim == 4:
        return x.mean((2, 3))
    if x.ndim == 3:
        if real is None:
            return x.mean(1)
        weights = real.unsqueeze(-1).float()
        return (x * weights).sum(1) / weights.sum(1).clamp(min=1)
    return x.flatten(1)


def _same_size(one_BHW: Tensor, other_BHW: Tensor) -> tuple[Tensor, Tensor]:
    height, width = (min(sides) for sides in zip(one_BHW.shape[1:], other_BHW.shape[1:], strict=True))
    return _shrunk(one_BHW, height, width), _shrunk(other_BHW, height, width)


def _shrunk(x_BHW: Tensor, height: int, width: int) -> Tensor:
    if x_BHW.shape[1:] == (height, width):
        return x_BHW
    if x_BHW.shape[1] % height == 0 and x_BHW.shape[2] % width == 0:
        return x_BHW.reshape(len(x_BHW), height, -1, width, x_BHW.shape[2] // width).mean((2, 4))
    return functional.interpolate(x_BHW[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]
