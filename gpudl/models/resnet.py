"""Residual networks: ResNet-18/34/50 with torchvision's keys, and the small ones for CIFAR."""

from __future__ import annotations

from gpudl import init, nn, ops
from gpudl._backend import Array
from gpudl.models._chain import Chain, init_convolutions
from gpudl.nn.container import backward_through, chain_backward, chain_forward
from gpudl.ops import _arrays


class _Block(nn.Module):
    """relu(branch(x) + shortcut(x)); subclasses name the layers of the branch."""

    expansion = 1
    relu: nn.ReLU
    downsample: nn.Sequential | None

    def branch(self) -> list[nn.Module]:
        """The layers of the branch in order."""
        raise NotImplementedError

    def forward(self, x: Array) -> Array:
        """x : (N, C, H, W). Returns y : (N, K, P, Q)."""
        y = chain_forward(self.branch(), x)
        side = x if self.downsample is None else self.downsample(x)
        return self.relu(ops.add_forward(y, side, out=y))

    def backward(self, dy: Array) -> Array | None:
        """dy : as y. Returns dx, shaped as x."""
        dy = self.relu.backward(dy)
        dx = chain_backward(self.branch(), dy, self.input_requires_grad)
        side: Array | None = dy
        if self.downsample is not None:
            side = backward_through(self.downsample, dy, self.input_requires_grad)
        return ops.add_forward(dx, side) if self.input_requires_grad else None

    def _shortcut(self, in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
        """A projection where the shape changes, else None for the identity."""
        if stride == 1 and in_channels == out_channels:
            return None
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
        )


class BasicBlock(_Block):
    """Two 3x3 convolutions (He et al., CVPR 2016, figure 5 left)."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = self._shortcut(in_channels, channels, stride)

    def branch(self) -> list[nn.Module]:
        return [self.conv1, self.bn1, self.relu1, self.conv2, self.bn2]


class Bottleneck(_Block):
    """1x1, 3x3, 1x1 convolutions; the stride is on the 3x3, as torchvision has it ("v1.5")."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1):
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = self._shortcut(in_channels, out_channels, stride)

    def branch(self) -> list[nn.Module]:
        return [self.conv1, self.bn1, self.relu1, self.conv2, self.bn2, self.relu2, self.conv3, self.bn3]


def _stage(block: type[_Block], in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = block(in_channels, channels, stride)  # type: ignore[call-arg]
    wide = channels * block.expansion
    return nn.Sequential(first, *(block(wide, channels) for _ in range(blocks - 1)))  # type: ignore[call-arg]


class ResNet(Chain):
    """ResNet for large images (He et al., CVPR 2016); state keys are torchvision's.

    block : BasicBlock or Bottleneck. layers_per_stage : four ints. num_classes, in_channels : at least 1.
    """

    def __init__(
        self,
        block: type[_Block],
        layers_per_stage: tuple[int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        wide = block.expansion
        self.layer1 = _stage(block, 64, 64, layers_per_stage[0], 1)
        self.layer2 = _stage(block, 64 * wide, 128, layers_per_stage[1], 2)
        self.layer3 = _stage(block, 128 * wide, 256, layers_per_stage[2], 2)
        self.layer4 = _stage(block, 256 * wide, 512, layers_per_stage[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(512 * wide, num_classes)
        init_convolutions(self)

    def layers(self) -> list[nn.Module]:
        return [
            self.conv1, self.bn1, self.relu, self.maxpool, self.layer1, self.layer2, self.layer3, self.layer4,
            self.avgpool, self.flatten, self.fc,
        ]  # fmt: skip


class CifarResNet(Chain):
    """ResNet of depth 6n + 2 for images of 32x32 pixels (He et al., CVPR 2016, section 4.2).

    depth : 8, 14, 20, 32, 44, 56, 110, ... num_classes, in_channels : at least 1.
    Shortcuts that change the shape are 1x1 convolutions (the paper's option B).
    """

    def __init__(self, depth: int = 20, num_classes: int = 10, in_channels: int = 3):
        super().__init__()
        depth = _arrays.integer("CifarResNet", "depth", depth, minimum=8)
        if (depth - 2) % 6:
            raise ValueError(f"CifarResNet: depth must be 6n + 2, got {depth}")
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(in_channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(BasicBlock, 16, 16, blocks, 1)
        self.layer2 = _stage(BasicBlock, 16, 32, blocks, 2)
        self.layer3 = _stage(BasicBlock, 32, 64, blocks, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(64, num_classes)
        init_convolutions(self)
        init.kaiming_normal_(self.fc.weight)

    def layers(self) -> list[nn.Module]:
        return [
            self.conv1, self.bn1, self.relu, self.layer1, self.layer2, self.layer3,
            self.avgpool, self.flatten, self.fc,
        ]  # fmt: skip


def resnet18(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-18: 11.7 M parameters for 1000 classes."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, in_channels)


def resnet34(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-34: 21.8 M parameters for 1000 classes."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, in_channels)


def resnet50(num_classes: int = 1000, in_channels: int = 3) -> ResNet:
    """ResNet-50: 25.6 M parameters for 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, in_channels)
