"""EfficientNet-Lite0: an accurate image network that is fast on a CPU; parameter names as in its public weights.

The lite form of EfficientNet has no squeeze-and-excitation and ReLU6 in place of swish.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths

STAGES = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Tan and Le 2019, table 1."""

WIDTHS = [channels for repeats, _, _, _, channels in STAGES for _ in range(repeats)]


class EfficientNetLite0Config(ModelConfig):
    """Shape of the network; every width is free, so that pruned networks load.

    Attributes
    ----------
    in_channels
        Channels of the image.
    stem_width
        Channels after the first convolution.
    widths
        Channels that leave each of the 16 blocks.
    inner_widths
        Channels inside each block; None: those of the paper.
    head_width
        Channels before the last layer.
    """

    in_channels: int | None = Field(None, ge=1)
    stem_width: int = Field(32, ge=1)
    widths: list[int] = Field(default=WIDTHS, min_length=len(WIDTHS), max_length=len(WIDTHS))
    inner_widths: list[int] | None = Field(None, min_length=len(WIDTHS), max_length=len(WIDTHS))
    head_width: int = Field(1280, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The channels come from the image; its size is free."""
        return {"num_classes": num_classes, "in_channels": shape[0]}


def _free(config: EfficientNetLite0Config) -> Widths:
    values = {
        "stem_width": config.stem_width,
        "widths": config.widths,
        "inner_widths": _inner_widths(config),
        "head_width": config.head_width,
    }
    stages = [stage for stage, (repeats, *_) in enumerate(STAGES) for _ in range(repeats)]
    same = [tuple(("widths", block) for block, at in enumerate(stages) if at == stage) for stage in range(len(STAGES))]
    # The first block does not expand: it filters the channels of the stem as they are.
    tied = [(("stem_width",), ("inner_widths", 0)), *(together for together in same if len(together) > 1)]
    return Widths(values, tuple(tied), streams=("widths",))


@architecture("efficientnet_lite0", config=EfficientNetLite0Config, inputs=("images",), head="_fc.", widths=_free)
def efficientnet_lite0(config: EfficientNetLite0Config) -> nn.Module:
    """16 inverted residual blocks.

    Sources: M. Tan, Q. V. Le, "EfficientNet", ICML 2019; M. Sandler et al., "MobileNetV2", CVPR 2018 (the blocks);
    R. Liu, "Higher accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.

    >>> import torch
    >>> network = efficientnet_lite0(EfficientNetLite0Config(in_channels=3, num_classes=10))
    >>> network.eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return EfficientNet(config)


class EfficientNet(nn.Module):
    """See :func:`efficientnet_lite0`."""

    def __init__(self, config: EfficientNetLite0Config) -> None:
        super().__init__()
        assert config.in_channels is not None
        assert config.num_classes is not None
        self._conv_stem = SameConv(config.in_channels, config.stem_width, 3, 2)
        self._bn0 = norm(config.stem_width)
        self._blocks = nn.ModuleList(_blocks(config))
        self._conv_head = SameConv(config.widths[-1], config.head_width, 1)
        self._bn1 = norm(config.head_width)
        self._dropout = nn.Dropout(config.dropout)
        self._fc = nn.Linear(config.head_width, config.num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of images ``(B, C, H, W)``."""
        logits: Tensor = self._fc(self._dropout(self.features(x)))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, head_width)``."""
        h_BCHW = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            h_BCHW = block(h_BCHW)
        return functional.relu6(self._bn1(self._conv_head(h_BCHW))).mean((2, 3))


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with the shortcut where the shape stays (Sandler et al. 2018)."""

    def __init__(self, before: int, inner: int, after: int, kernel: int, stride: int, *, expands: bool) -> None:
        super().__init__()
        if expands:
            self._expand_conv = SameConv(before, inner, 1)
            self._bn0 = norm(inner)
        self.expands, self.adds = expands, stride == 1 and before == after
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = norm(inner)
        self._project_conv = SameConv(inner, after, 1)
        self._bn2 = norm(after)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, H, W)`` -> ``(B, after, H / stride, W / stride)``."""
        h_BCHW: Tensor = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        h_BCHW = functional.relu6(self._bn1(self._depthwise_conv(h_BCHW)))
        h_BCHW = self._bn2(self._project_conv(h_BCHW))
        return h_BCHW + x if self.adds else h_BCHW


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does, where the weights were trained: more at the right and below."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, H, W)`` -> ``(B, after, ceil(H / stride), ceil(W / stride))``."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel > 1:
            down, right = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[2:])
            x = functional.pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])
        return super().forward(x)


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the constants of the public weights."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _blocks(config: EfficientNetLite0Config) -> list[InvertedResidual]:
    blocks: list[InvertedResidual] = []
    inners = _inner_widths(config)
    before = config.stem_width
    for repeats, kernel, stride, expansion, _ in STAGES:
        for repeat in range(repeats):
            number = len(blocks)
            inner, after = inners[number], config.widths[number]
            blocks.append(
                InvertedResidual(before, inner, after, kernel, 1 if repeat else stride, expands=expansion != 1)
            )
            before = after
    return blocks


def _inner_widths(config: EfficientNetLite0Config) -> list[int]:
    """Channels inside each block."""
    if config.inner_widths:
        return config.inner_widths
    expansions = [expansion for repeats, _, _, expansion, _ in STAGES for _ in range(repeats)]
    befores = [config.stem_width, *config.widths]
    return [before * expansion for before, expansion in zip(befores, expansions, strict=False)]
