"""A whole training step (forward, loss, backward, Adam) of LeNet and of the CIFAR ResNet-20, weights alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import models, nn, optim

BATCH = 128


def cases() -> Iterator[Case]:
    yield _case("LeNet, 128 x (1, 28, 28)", models.LeNet(), torch_lenet(), (BATCH, 1, 28, 28))
    yield _case(
        "CIFAR ResNet-20, 128 x (3, 32, 32)", models.CifarResNet(20), TorchCifarResNet(3), (BATCH, 3, 32, 32)
    )


def _case(words: str, ours: nn.Module, theirs: torch.nn.Module, shape: tuple[int, ...]) -> Case:
    rng = np.random.default_rng(0)
    n, c, h, w = shape
    x = rng.standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)
    target = rng.integers(0, 10, n)
    same_weights(ours, theirs)
    step, reference = (
        _step(ours, x, target),
        _torch_step(theirs, torch.from_numpy(x), torch.from_numpy(target)),
    )
    return Case("step", "training step", words, step, reference, tolerance=1e-2)


def same_weights(ours: nn.Module, theirs: torch.nn.Module) -> None:
    """Give `theirs` the parameters and buffers of `ours`, in their order, channels-last."""
    values = dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True))
    theirs.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in values.items()})
    theirs.to(memory_format=torch.channels_last)


def _step(model: nn.Module, x: np.ndarray, target: np.ndarray) -> Callable[[], np.ndarray]:
    model.input_requires_grad = False
    criterion, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), 1e-4)

    def step() -> np.ndarray:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        model.backward(criterion.backward())
        optimizer.step()
        return loss

    return step


def _torch_step(model: torch.nn.Module, x: torch.Tensor, target: torch.Tensor) -> Callable[[], torch.Tensor]:
    criterion, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), 1e-4)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = criterion(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    return step


def torch_lenet() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.MaxPool2d(2), torch.nn.ReLU(),
        torch.nn.Conv2d(6, 16, 5), torch.nn.MaxPool2d(2), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(400, 120), torch.nn.ReLU(), torch.nn.Linear(120, 84), torch.nn.ReLU(), torch.nn.Linear(84, 10),
    )  # fmt: skip


class _TorchBlock(torch.nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1:
            self.downsample = torch.nn.Sequential(
                torch.nn.Conv2d(in_channels, channels, 1, stride, bias=False), torch.nn.BatchNorm2d(channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(torch.relu_(self.bn1(self.conv1(x)))))
        return torch.relu_(y + (x if self.downsample is None else self.downsample(x)))


class TorchCifarResNet(torch.nn.Sequential):
    def __init__(self, blocks: int):
        layers: list[torch.nn.Module] = [
            torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16), torch.nn.ReLU(inplace=True),
        ]  # fmt: skip
        for in_channels, channels, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
            layers.append(_TorchBlock(in_channels, channels, stride))
            layers += [_TorchBlock(channels, channels, 1) for _ in range(blocks - 1)]
        super().__init__(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10))
