"""Residual networks 18, 34, 50, 101 and 152; parameter names as in torchvision, so that its public weights load.

The stem is stated. ``"large"``: 7x7 convolution with stride 2 and max-pooling, for images of about 224 pixels, as in
the paper and in torchvision. ``"small"``: one 3x3 convolution with stride 1, for images of about 32 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from engine.models.registry import ModelConfig, architecture
from engine.models.widths import Widths


class ResNetConfig(ModelConfig):
    """Shape of a residual network; every width is free, so that pruned networks load.

    Attributes
    ----------
    in_channels
        Channels of the image.
    stem
        ``"small"`` or ``"large"``, see the module's text.
    stem_width
        Channels after the stem.
    stage_widths
        Channels that leave each of the four stages; None: those of the paper.
    inner_widths
        Channels inside each block, ``[stage][block][convolution]``; None: those of the paper. A block of
        ResNet-18 and 34 has one inner width, a block of ResNet-50 has two.
    """

    in_channels: int | None = Field(None, ge=1)
    stem: Literal["small", "large"] = "small"
    stem_width: int = Field(64, ge=1)
    stage_widths: list[int] | None = Field(None, min_length=4, max_length=4)
    inner_widths: list[list[list[int]]] | None = Field(None, min_length=4, max_length=4)

    def filled(self, kind: str, shape: Sequence[int], num_classes: int) -> dict[str, Any]:
        """The channels come from the image; its size is free."""
        return {"num_classes": num_classes, "in_channels": shape[0]}


def _free(name: str) -> Callable[[ResNetConfig], Widths]:
    def widths(config: ResNetConfig) -> Widths:
        stages, inners = _stages(config, *SHAPES[name])
        # Without a convolution in its first shortcut, the stem's channels are those that the first stage adds to.
        tied = ((("stem_width",), ("stage_widths", 0)),) if config.stem_width == stages[0] else ()
        values = {"stem_width": config.stem_width, "stage_widths": stages, "inner_widths": inners}
        return Widths(values, tied, streams=("stage_widths",))

    return widths


@architecture("resnet18", config=ResNetConfig, inputs=("images",), head="fc.", widths=_free("resnet18"))
def resnet18(config: ResNetConfig) -> nn.Module:
    """18 layers: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, table 1.

    >>> import torch
    >>> resnet18(ResNetConfig(in_channels=3, num_classes=10)).eval()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    return ResNet(config, *SHAPES["resnet18"])


@architecture("resnet34", config=ResNetConfig, inputs=("images",), head="fc.", widths=_free("resnet34"))
def resnet34(config: ResNetConfig) -> nn.Module:
    """34 layers: He et al. 2016, table 1."""
    return ResNet(config, *SHAPES["resnet34"])


@architecture("resnet50", config=ResNetConfig, inputs=("images",), head="fc.", widths=_free("resnet50"))
def resnet50(config: ResNetConfig) -> nn.Module:
    """50 layers: He et al. 2016, table 1, with the stride in the 3x3 convolution ("v1.5", as torchvision has it)."""
    return ResNet(config, *SHAPES["resnet50"])


@architecture("resnet101", config=ResNetConfig, inputs=("images",), head="fc.", widths=_free("resnet101"))
def resnet101(config: ResNetConfig) -> nn.Module:
    """101 layers: He et al. 2016, table 1, as "v1.5"."""
    return ResNet(config, *SHAPES["resnet101"])


@architecture("resnet152", config=ResNetConfig, inputs=("images",), head="fc.", widths=_free("resnet152"))
def resnet152(config: ResNetConfig) -> nn.Module:
    """152 layers: He et al. 2016, table 1, as "v1.5"."""
    return ResNet(config, *SHAPES["resnet152"])


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut (He et al. 2016, figure 5 left)."""

    expansion = 1
    inner_count = 1

    def __init__(self, before: int, inner: Sequence[int], after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(before, inner[0], 3, stride)
        self.bn1 = nn.BatchNorm2d(inner[0])
        self.conv2 = conv(inner[0], after, 3)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, H, W)`` -> ``(B, after, H / stride, W / stride)``."""
        h_BCHW = self.relu(self.bn1(self.conv1(x)))
        h_BCHW = self.bn2(self.conv2(h_BCHW))
        added: Tensor = self.relu(h_BCHW + (x if self.downsample is None else self.downsample(x)))
        return added


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and the shortcut (He et al. 2016, figure 5 right)."""

    expansion = 4
    inner_count = 2

    def __init__(self, before: int, inner: Sequence[int], after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(before, inner[0], 1)
        self.bn1 = nn.BatchNorm2d(inner[0])
        self.conv2 = conv(inner[0], inner[1], 3, stride)
        self.bn2 = nn.BatchNorm2d(inner[1])
        self.conv3 = conv(inner[1], after, 1)
        self.bn3 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(before, after, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, before, H, W)`` -> ``(B, after, H / stride, W / stride)``."""
        h_BCHW = self.relu(self.bn1(self.conv1(x)))
        h_BCHW = self.relu(self.bn2(self.conv2(h_BCHW)))
        h_BCHW = self.bn3(self.conv3(h_BCHW))
        added: Tensor = self.relu(h_BCHW + (x if self.downsample is None else self.downsample(x)))
        return added


SHAPES: Mapping[str, tuple[type[BasicBlock] | type[Bottleneck], Sequence[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
    "resnet152": (Bottleneck, [3, 8, 36, 3]),
}
"""Kind of block, and how many there are in each stage: He et al. 2016, table 1."""


class ResNet(nn.Module):
    """Stem, four stages of blocks, the mean over the image, one linear layer."""

    def __init__(self, config: ResNetConfig, block: type[BasicBlock] | type[Bottleneck], depths: Sequence[int]) -> None:
        super().__init__()
        if config.in_channels is None or config.num_classes is None:
            raise ValueError("in_channels and num_classes are needed")
        stages, inners = _stages(config, block, depths)
        small = config.stem == "small"
        self.conv1 = conv(config.in_channels, config.stem_width, 3 if small else 7, 1 if small else 2)
        self.bn1 = nn.BatchNorm2d(config.stem_width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        before = config.stem_width
        for index, (after, inner, depth) in enumerate(zip(stages, inners, depths, strict=True)):
            blocks = [
                block(before if n == 0 else after, inner[n], after, 2 if index and n == 0 else 1) for n in range(depth)
            ]
            self.add_module(f"layer{index + 1}", nn.Sequential(*blocks))
            before = after
        self.fc = nn.Linear(before, config.num_classes)
        self.stages = tuple(f"layer{index + 1}" for index in range(4))
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of images ``(B, C, H, W)``."""
        logits: Tensor = self.fc(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: ``(B, width of the last stage)``."""
        h_BCHW: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            h_BCHW = self.get_submodule(name)(h_BCHW)
        return h_BCHW.mean((2, 3))

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _stages(
    config: ResNetConfig, block: type[BasicBlock] | type[Bottleneck], depths: Sequence[int]
) -> tuple[list[int], list[list[list[int]]]]:
    """Channels that leave each stage, and those inside each block."""
    base = [64, 128, 256, 512]
    stages = config.stage_widths or [width * block.expansion for width in base]
    inners = config.inner_widths or [
        [[width] * block.inner_count] * depth for width, depth in zip(base, depths, strict=True)
    ]
    return stages, inners


def conv(before: int, after: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size of the image at stride 1."""
    return nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)


def shortcut(before: int, after: int, stride: int) -> nn.Sequential | None:
    """None where the input can be added as it is, else a 1x1 convolution (He et al. 2016, option B)."""
    if stride == 1 and before == after:
        return None
    return nn.Sequential(conv(before, after, 1, stride), nn.BatchNorm2d(after))
