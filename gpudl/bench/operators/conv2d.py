"""2-D convolution, each direction: sizes that tell, and the layers of well-known networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.operators import _convolution, _large
from gpudl.bench.problem import (
    DTYPES,
    SECTOR,
    Inputs,
    Problem,
    Results,
    Work,
    activations,
    bias,
    operator,
    widened,
)

# Operations from which on a part of the result is verified: all of it would take NumPy longer than a second.
VERIFIED_WHOLE = 4e9
FILTERS, CHANNELS = 2, 4  # of the weight's gradient that are verified then, of the first and the last group


@dataclasses.dataclass(frozen=True)
class Layer:
    """x (N, C, H, H) with K filters of (C / groups, R, R)."""

    N: int
    C: int
    H: int
    K: int
    R: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    name: str = ""
    devices: tuple[str, ...] = ("cpu", "cuda")
    quick: bool = False

    @property
    def of_one_sample(self) -> networks.Convolution:
        geometry = (self.C, self.H, self.K, self.R, self.stride, self.padding, self.groups)
        return networks.Convolution(self.name, *geometry)

    @property
    def extent(self) -> int:
        return self.of_one_sample.P

    @property
    def settings(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding, "dilation": 1, "groups": self.groups}

    @property
    def words(self) -> str:
        text = f"({self.N}, {self.C}, {self.H}, {self.H}) -> {self.K}, {self.R}x{self.R}"
        text += f", stride {self.stride}" if self.stride > 1 else ""
        text += f", {self.groups} groups" if self.groups > 1 else ""
        return f"{self.name}: {text}" if self.name else text

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.of_one_sample.weight_shape

    @property
    def flops(self) -> int:
        """Of every direction: 2 N P Q K (C / groups) R S."""
        return 2 * self.N * self.of_one_sample.multiply_adds

    def x(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, self.N, self.C, self.H, self.H)

    def weight(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, *self.weight_shape)

    def dy(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, self.N, self.K, self.extent, self.extent)

    @property
    def group(self) -> str:
        dense = self.groups == 1 and min(self.C, self.K) >= 32
        return "dense convolutions of 32 channels or more" if dense else ""

    def work(self, direction: str) -> Work:
        """Its two inputs and its result, each once. Of x a 1x1 convolution with a stride reads the pixels that it
        takes, where those of a sector are more than one."""
        rows = self.H
        reads_x = direction in ("forward", "backward_weight")
        if reads_x and self.R == 1 and self.C * DTYPES["float16"].itemsize >= SECTOR:
            rows = self.extent
        pixels = self.N * (self.C * rows**2 + self.K * self.extent**2)
        return Work(flops=self.flops, values=pixels + math.prod(self.weight_shape))


LAYERS = [
    Layer(32, 64, 32, 64, 3, 1, 1, quick=True),
    Layer(32, 128, 16, 128, 3, 1, 1),
    Layer(32, 256, 8, 256, 3, 1, 1),
    Layer(128, 32, 16, 32, 3, 1, 1),
    Layer(128, 64, 8, 64, 3, 1, 1),
    Layer(32, 64, 32, 128, 3, 2, 1, quick=True),
    Layer(32, 32, 32, 64, 5, 1, 2),
    Layer(16, 64, 56, 256, 1),
    Layer(16, 256, 28, 128, 1, 2),
    Layer(32, 3, 32, 64, 3, 1, 1),
    Layer(64, 1, 28, 32, 5, 1, 2),
    Layer(128, 1, 28, 6, 5, 1, 2),
    Layer(128, 6, 14, 16, 5),
    Layer(128, 3, 32, 16, 3, 1, 1),
    Layer(128, 16, 32, 32, 3, 2, 1),
    Layer(128, 16, 32, 16, 3, 1, 1),
    Layer(32, 64, 32, 64, 3, 1, 1, 64, quick=True),
    Layer(32, 64, 32, 64, 3, 2, 1, 64),
    Layer(16, 64, 28, 64, 3, 1, 1, 4),
]
# Of the networks for a GPU, at batch 32: memory-bound and math-bound, a stride, few channels, groups.
QUICK = {
    ("ResNet-50", "stem"), ("ResNet-50", "layer1.conv3"), ("ResNet-50", "layer2.0.conv2"),
    ("ResNet-50", "layer3.conv2"), ("VGG-16", "conv3_2"), ("MobileNetV2", "depthwise 144"),
    ("ResNeXt-50", "layer3.conv2"),
}  # fmt: skip


def layers() -> Iterator[Layer]:
    yield from LAYERS
    for network in (*networks.SMALL, *networks.LARGE):
        for N, devices in networks.batches(network):
            for each in network.convolutions:
                yield Layer(
                    N, each.C, each.H, each.K, each.R, each.stride, each.padding, each.groups,
                    f"{network.name} {each.name}", devices, N == 32 and (network.name, each.name) in QUICK,
                )  # fmt: skip


def problem(
    direction: str, layer: Layer, inputs: Callable[[np.random.Generator], Inputs], settings: dict[str, Any]
) -> Problem:
    return Problem(
        f"conv2d_{direction}", layer.words, inputs, layer.work(direction), settings,
        devices=layer.devices, group=layer.group, quick=layer.quick,
    )  # fmt: skip


def forward_problem(layer: Layer) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        terms = math.prod(layer.weight_shape[1:])
        return {"x": layer.x(rng), "weight": layer.weight(rng), "bias": bias(rng, layer.K, terms)}

    whole = problem("forward", layer, inputs, layer.settings)
    return _large.by_samples(whole) if layer.flops > VERIFIED_WHOLE else whole


def backward_data_problem(layer: Layer) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"dy": layer.dy(rng), "weight": layer.weight(rng)}

    settings = {"x_shape": (layer.N, layer.C, layer.H, layer.H), **layer.settings}
    whole = problem("backward_data", layer, inputs, settings)
    return _large.by_samples(whole) if layer.flops > VERIFIED_WHOLE else whole


def backward_weight_problem(layer: Layer) -> Problem:
    width = layer.C // layer.groups
    filters, channels = min(FILTERS, layer.K // layer.groups), min(CHANNELS, width)

    def inputs(rng: np.random.Generator) -> Inputs:
        return {"dy": layer.dy(rng), "x": layer.x(rng)}

    def part(results: Sequence[Any]) -> Sequence[Any]:
        return [results[0][:filters, :channels], results[0][-filters:, :channels]]

    def expected(inputs: Inputs) -> Results:
        dy, x = inputs["dy"], inputs["x"]
        last = layer.C - width
        shape, settings = (filters, channels, layer.R, layer.R), {**layer.settings, "groups": 1}
        ends = (dy[:, :filters], x[:, :channels]), (dy[:, -filters:], x[:, last : last + channels])
        return tuple(ops.conv2d_backward_weight(*map(widened, pair), shape, **settings) for pair in ends)

    settings = {"weight_shape": layer.weight_shape, **layer.settings}
    whole = problem("backward_weight", layer, inputs, settings)
    if layer.flops <= VERIFIED_WHOLE:
        return whole
    return dataclasses.replace(whole, part=part, expected=expected)


def backward_bias_problem(layer: Layer) -> Problem:
    work = Work(
        flops=layer.N * layer.K * layer.extent**2, values=layer.N * layer.K * layer.extent**2 + layer.K
    )
    return Problem(
        "conv2d_backward_bias", layer.words, lambda rng: {"dy": layer.dy(rng)}, work, devices=layer.devices,
        quick=layer.quick,
    )  # fmt: skip


@operator("conv2d_forward", family="conv2d")
def forward_problems() -> Iterator[Problem]:
    yield from map(forward_problem, layers())


@operator("conv2d_backward_data", family="conv2d")
def backward_data_problems() -> Iterator[Problem]:
    yield from map(backward_data_problem, layers())


@operator("conv2d_backward_weight", family="conv2d")
def backward_weight_problems() -> Iterator[Problem]:
    yield from map(backward_weight_problem, layers())


@operator("conv2d_backward_bias", family="conv2d")
def backward_bias_problems() -> Iterator[Problem]:
    """Of the networks only VGG-16 and LeNet have biases."""
    for layer in LAYERS:
        yield backward_bias_problem(layer)


_convolution.register_contenders("conv2d")
