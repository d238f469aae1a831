"""How the precision of a training is watched over, in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sampled = Literal["cosine", "error", "underflow", "update_underflow"]


@dataclass(frozen=True, slots=True)
class PrecisionOptions:
    """Options of a :class:`~engine.learn.precision.PrecisionController`.

    Attributes
    ----------
    recover
        Roll back and look for the cause when the training fails; False: stop and explain.
    weights
        Weights that come in bf16 or fp16: trained in fp32, or kept as they are.
    window
        Losses that a new one is compared with.
    spike_sigmas, spike_ratio
        A loss is too high when it lies above the median of the window by this many robust deviations *and* by this many
        times as much as any loss of the window does.
    spike_steps
        So many too high losses in a row are a fault; fewer are a hard batch, which every training has.
    outrageous
        A loss that is so many times as far above the median as a too high one is a fault by itself.
    most_growth
        The running statistics of a network (of batch normalisation) are at fault when they grow by more than this
        between two looks. No loss shows that: while training, each batch is normalised by itself.
    initial_scale, floor, growth_interval
        Of the loss scale of fp16: where it starts, what it never falls below, and clean steps before it doubles.
    collapsed, collapsed_interval
        Below ``collapsed`` the scale doubles after ``collapsed_interval`` clean steps already.
    overflows
        So many overflows in a row at fp16 and the training goes one rung up.
    sampled
        Signals of the shadow pass that are measured; empty: there is no shadow pass.
    sample_steps, sample_rows
        Steps between two shadow passes; examples in one.
    least_cosine, most_error, most_underflow, most_update_underflow
        Where a sampled signal asks for the next rung. An error above 1 / sqrt(3) means that rounding noise outweighs
        the gradient (B. Chmiel et al., "FP4 all the way", 2025).
    sample_agree
        So many samples in a row have to agree before the rung changes.
    stay_up
        Steps at a higher rung, or at a lower learning rate, before the way back is tried; doubled after each relapse.
    most_switches
        Changes of the rung in one training; then it stays at the higher one.
    probation
        Steps after a remedy that have to be good before it counts as one.
    rate_cut, far_back
        What a fault of the learning rate multiplies it by: from the step before it, and if that does not help from so
        many steps before.
    most_failures
        Faults within ``failure_window`` steps before the training is given up.
    snapshot_share
        Largest share of the time that snapshots may cost.
    least_snapshot_steps, most_snapshot_steps
        Bounds of the steps between two snapshots.
    """

    recover: bool = True
    weights: Literal["master", "keep"] = "master"
    window: int = 32
    spike_sigmas: float = 8.0
    spike_ratio: float = 4.0
    spike_steps: int = 3
    outrageous: float = 100.0
    most_growth: float = 1000.0
    initial_scale: float = 65536.0
    floor: float = 1.0
    growth_interval: int = 2000
    collapsed: float = 128.0
    collapsed_interval: int = 100
    overflows: int = 12
    sampled: tuple[Sampled, ...] = ("update_underflow",)
    sample_steps: int = 50
    sample_rows: int = 8
    least_cosine: float = 0.9
    most_error: float = 0.577
    most_underflow: float = 0.25
    most_update_underflow: float = 0.5
    sample_agree: int = 2
    stay_up: int = 200
    most_switches: int = 8
    probation: int = 5
    rate_cut: float = 0.1
    far_back: int = 16
    most_failures: int = 8
    failure_window: int = 16
    snapshot_share: float = 0.0025
    least_snapshot_steps: int = 16
    most_snapshot_steps: int = 4096
