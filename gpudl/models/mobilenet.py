"""MobileNetV2 with torchvision's keys."""

from __future__ import annotations

from gpudl import nn, ops
from gpudl._backend import Array
from gpudl.models._chain import Chain, init_convolutions, init_linears
from gpudl.nn.container import backward_through

# (expansion, channels, repetitions, stride of the first), table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def _conv_bn_relu6(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1; x is added where the shape stays."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        wide = in_channels * expansion
        expand = [_conv_bn_relu6(in_channels, wide, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            _conv_bn_relu6(wide, wide, 3, stride, groups=wide),
            nn.Conv2d(wide, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W). Returns y : (N, K, P, Q)."""
        y = self.conv(x)
        return ops.add_forward(y, x, out=y) if self.adds_input else y

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        dx = backward_through(self.conv, dy, self.input_requires_grad)
        return ops.add_forward(dx, dy) if self.adds_input and self.input_requires_grad else dx


class MobileNetV2(Chain):
    """MobileNetV2 of width 1 (Sandler et al., CVPR 2018); state keys are torchvision's.

    num_classes, in_channels : at least 1. dropout : probability of dropping before the last layer.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3, dropout: float = 0.2):
        super().__init__()
        blocks: list[nn.Module] = [_conv_bn_relu6(in_channels, 32, 3, 2)]
        channels = 32
        for expansion, width, repetitions, first_stride in _STAGES:
            for i in range(repetitions):
                blocks.append(InvertedResidual(channels, width, first_stride if i == 0 else 1, expansion))
                channels = width
        self.features = nn.Sequential(*blocks, _conv_bn_relu6(channels, 1280, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, num_classes))
        init_convolutions(self)
        init_linears(self)

    def layers(self) -> list[nn.Module]:
        return [self.features, self.avgpool, self.flatten, self.classifier]
