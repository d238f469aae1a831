"""Mixtures of two examples: a batch at once, on the device.

Called by the step on prepared inputs. Draws come from the device's global random generator, which checkpoints keep; no
number is read from the device.

Legend of shapes: B examples, C channels, H and W the sides of an image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from engine.errors import UserError


class Mixed(NamedTuple):
    """A mixed batch.

    Attributes
    ----------
    inputs
        As before the mixture: float (B, ...).
    others
        Targets of the examples that were mixed in: int64 (B,).
    share
        What is left of the first ones: float32 (), on the device. Cross-entropy is linear in its targets, so the loss
        of the mixture is ``share`` of the loss against the first targets and the rest of that against the others.
    """

    inputs: Tensor
    others: Tensor
    share: Tensor

    def split(self, count: int) -> list[Mixed]:
        """The same in parts, as even as can be."""
        parts = zip(self.inputs.tensor_split(count), self.others.tensor_split(count), strict=True)
        return [Mixed(inputs, others, self.share) for inputs, others in parts]


Mixing = Callable[[Tensor, Tensor], Mixed]


def make_mixing(mixup: float, cutmix: float) -> Mixing | None:
    """One function for a batch; None when nothing is to be mixed. With both, each batch takes one of them by chance.

    Parameters
    ----------
    mixup, cutmix
        Alpha of the Beta distribution that the share is drawn from; 0: not used.

    Examples
    --------
    >>> make_mixing(0.0, 0.0) is None
    True
    >>> inputs, others, share = make_mixing(1.0, 0.0)(torch.zeros(4, 2), torch.tensor([0, 1, 2, 0]))
    >>> sorted(others.tolist()), 0 <= float(share) <= 1
    ([0, 0, 1, 2], True)
    """
    if not mixup and not cutmix:
        return None

    def mix(inputs: Tensor, targets: Tensor) -> Mixed:
        if not mixup or (cutmix and _coin()):
            return cut_and_paste(inputs, targets, cutmix)
        return blend(inputs, targets, mixup)

    return mix


def blend(inputs: Tensor, targets_B: Tensor, alpha: float) -> Mixed:
    """Each example becomes a weighted mean with another one (H. Zhang et al., "mixup", ICLR 2018)."""
    share = _share(alpha, inputs.device)
    others_B = torch.randperm(len(inputs), device=inputs.device)
    return Mixed(torch.lerp(inputs[others_B], inputs, share), targets_B[others_B], share)


def cut_and_paste(images_BCHW: Tensor, targets_B: Tensor, alpha: float) -> Mixed:
    """A rectangle of each image comes from another one; the share is its area (S. Yun et al., "CutMix", ICCV 2019).

    Raises
    ------
    UserError
        When the inputs are no images.
    """
    if images_BCHW.ndim != 4:
        raise UserError("CutMix is for images", field="cutmix", hint="Use mixup instead.")
    count, _, height, width = images_BCHW.shape
    device = images_BCHW.device
    side = (1 - _share(alpha, device)).sqrt()
    centre = torch.rand(2, device=device)
    pasted_HW = _inside(height, centre[0], side)[:, None] & _inside(width, centre[1], side)[None, :]
    others_B = torch.randperm(count, device=device)
    mixed = torch.where(pasted_HW, images_BCHW[others_B], images_BCHW)
    return Mixed(mixed, targets_B[others_B], 1 - pasted_HW.float().mean())


def _inside(sides: int, centre: Tensor, side: Tensor) -> Tensor:
    """Which pixels of one side lie in a window around a centre: bool (sides,)."""
    places = torch.arange(sides, device=centre.device)
    middle = (centre * sides).floor()
    half = (side * sides / 2).floor()
    return (places >= middle - half) & (places < middle + half)


def _share(alpha: float, device: torch.device) -> Tensor:
    """A draw of Beta(alpha, alpha), on the device: the quotient of two Gamma draws."""
    draws = torch._standard_gamma(torch.full((2,), alpha, device=device))
    return draws[0] / draws.sum().clamp(min=torch.finfo(torch.float32).tiny)


def _coin() -> bool:
    """Drawn on the host, where it costs no waiting for the device."""
    return float(torch.rand(())) < 0.5
