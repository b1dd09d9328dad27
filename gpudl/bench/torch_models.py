"""PyTorch's twins of gpudl's models. Imported where PyTorch is needed."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gpudl.bench.training import gpudl_model


def twin(name: str, device: torch.device) -> nn.Module:
    """PyTorch's model with the initial values of gpudl's, channels-last, on `device`."""
    model = TWINS[name]()
    values = gpudl_model(name).state_dict().values()
    # The names differ where a model of PyTorch's is a Sequential, the order does not.
    state = dict(zip(model.state_dict(), values, strict=True))
    model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    return model.to(device, memory_format=torch.channels_last)


def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(6, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def _conv_bn(in_channels: int, channels: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(channels)]


class Block(nn.Module):
    """relu(branch(x) + shortcut(x))."""

    def __init__(self, branch: list[nn.Module], shortcut: list[nn.Module]):
        super().__init__()
        self.branch = nn.Sequential(*branch)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu_(self.branch(x) + self.shortcut(x))


def _basic(in_channels: int, channels: int, stride: int) -> Block:
    branch = [
        *_conv_bn(in_channels, channels, 3, stride), nn.ReLU(inplace=True), *_conv_bn(channels, channels, 3),
    ]  # fmt: skip
    return Block(branch, _conv_bn(in_channels, channels, 1, stride) if stride != 1 else [])


def _bottleneck(in_channels: int, channels: int, stride: int) -> Block:
    wide = 4 * channels
    branch = [
        *_conv_bn(in_channels, channels, 1), nn.ReLU(inplace=True),
        *_conv_bn(channels, channels, 3, stride), nn.ReLU(inplace=True), *_conv_bn(channels, wide, 1),
    ]  # fmt: skip
    return Block(branch, _conv_bn(in_channels, wide, 1, stride) if in_channels != wide else [])


def cifar_resnet20() -> nn.Module:
    layers = [*_conv_bn(3, 16, 3), nn.ReLU(inplace=True)]
    for in_channels, channels, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [_basic(in_channels, channels, stride), *(_basic(channels, channels, 1) for _ in range(2))]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet50() -> nn.Module:
    layers = [*_conv_bn(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    in_channels = 64
    for channels, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            layers.append(_bottleneck(in_channels, channels, stride if block == 0 else 1))
            in_channels = 4 * channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


TWINS = {"LeNet": lenet, "CIFAR ResNet-20": cifar_resnet20, "ResNet-50": resnet50}
