"""2-D convolution, each direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator


@dataclasses.dataclass(frozen=True)
class Layer:
    """x (N, C, H, W) with K filters of (C / groups, R, R)."""

    N: int
    C: int
    H: int
    K: int
    R: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    name: str = ""

    @property
    def extent(self) -> int:
        return (self.H + 2 * self.padding - self.R) // self.stride + 1

    @property
    def settings(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.padding, "dilation": 1, "groups": self.groups}

    @property
    def words(self) -> str:
        text = f"({self.N}, {self.C}, {self.H}, {self.H}) -> {self.K}, {self.R}x{self.R}"
        text += f", stride {self.stride}" if self.stride > 1 else ""
        text += f", {self.groups} groups" if self.groups > 1 else ""
        return f"{self.name}: {text}" if self.name else text

    def x(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, self.N, self.C, self.H, self.H)

    def weight(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, self.K, self.C // self.groups, self.R, self.R)

    def dy(self, rng: np.random.Generator) -> np.ndarray:
        return activations(rng, self.N, self.K, self.extent, self.extent)

    @property
    def group(self) -> str:
        dense = self.groups == 1 and min(self.C, self.K) >= 32
        return "dense convolutions of 32 channels or more" if dense else ""

    @property
    def work(self) -> Work:
        """Of every direction: 2 N P Q K (C / groups) R S operations, and its two inputs and its result."""
        filters = self.K * self.C // self.groups * self.R**2
        pixels = self.N * (self.C * self.H**2 + self.K * self.extent**2)
        return Work(flops=2 * self.N * self.extent**2 * filters, values=pixels + filters)


LAYERS = [
    Layer(32, 64, 32, 64, 3, 1, 1),
    Layer(32, 128, 16, 128, 3, 1, 1),
    Layer(32, 256, 8, 256, 3, 1, 1),
    Layer(128, 32, 16, 32, 3, 1, 1),
    Layer(128, 64, 8, 64, 3, 1, 1),
    Layer(32, 64, 32, 128, 3, 2, 1),
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
    Layer(32, 64, 32, 64, 3, 1, 1, 64),
    Layer(32, 64, 32, 64, 3, 2, 1, 64),
    Layer(16, 64, 28, 64, 3, 1, 1, 4),
]
QUICK = (LAYERS[0], LAYERS[5], LAYERS[16])


def _problems(name: str, inputs: Any, settings: Any, **options: Any) -> Iterator[Problem]:
    for layer in LAYERS:
        yield Problem(
            name, layer.words, lambda rng, layer=layer: inputs(layer, rng), layer.work, settings(layer),
            group=layer.group, quick=layer in QUICK, **options,
        )  # fmt: skip


@operator("conv2d_forward", family="conv2d")
def forward_problems() -> Iterator[Problem]:
    def inputs(layer: Layer, rng: np.random.Generator) -> Inputs:
        return {"x": layer.x(rng), "weight": layer.weight(rng), "bias": activations(rng, layer.K)}

    yield from _problems("conv2d_forward", inputs, lambda layer: layer.settings)


@operator("conv2d_backward_data", family="conv2d")
def backward_data_problems() -> Iterator[Problem]:
    def inputs(layer: Layer, rng: np.random.Generator) -> Inputs:
        return {"dy": layer.dy(rng), "weight": layer.weight(rng)}

    def settings(layer: Layer) -> dict[str, Any]:
        return {"x_shape": (layer.N, layer.C, layer.H, layer.H), **layer.settings}

    yield from _problems("conv2d_backward_data", inputs, settings)


@operator("conv2d_backward_weight", family="conv2d")
def backward_weight_problems() -> Iterator[Problem]:
    def inputs(layer: Layer, rng: np.random.Generator) -> Inputs:
        return {"dy": layer.dy(rng), "x": layer.x(rng)}

    def settings(layer: Layer) -> dict[str, Any]:
        return {"weight_shape": (layer.K, layer.C // layer.groups, layer.R, layer.R), **layer.settings}

    yield from _problems("conv2d_backward_weight", inputs, settings)


contender("conv2d_forward", name="gpudl")(ops.conv2d_forward)


@contender("conv2d_backward_data", name="gpudl")
def gpudl_backward_data(dy: Any, weight: Any, *, x_shape: tuple[int, ...], **settings: Any) -> Any:
    return ops.conv2d_backward_data(dy, weight, x_shape, **settings)


@contender("conv2d_backward_weight", name="gpudl")
def gpudl_backward_weight(dy: Any, x: Any, *, weight_shape: tuple[int, ...], **settings: Any) -> Any:
    return ops.conv2d_backward_weight(dy, x, weight_shape, **settings)


@contender("conv2d_forward", name="PyTorch", arrays="torch")
def torch_forward(x: Any, weight: Any, bias: Any, **settings: Any) -> Any:
    import torch

    return torch.nn.functional.conv2d(x, weight, bias, **settings)


@contender("conv2d_backward_data", name="PyTorch", arrays="torch")
def torch_backward_data(dy: Any, weight: Any, *, x_shape: tuple[int, ...], **settings: Any) -> Any:
    import torch

    # The operator asks for x, and reads nothing of it for this gradient but its shape and layout.
    x = torch.empty(x_shape, dtype=dy.dtype, device=dy.device, memory_format=torch.channels_last)
    return _torch_backward(dy, x, weight, settings, [True, False, False])[0]


@contender("conv2d_backward_weight", name="PyTorch", arrays="torch")
def torch_backward_weight(dy: Any, x: Any, *, weight_shape: tuple[int, ...], **settings: Any) -> Any:
    import torch

    weight = torch.empty(weight_shape, dtype=dy.dtype, device=dy.device, memory_format=torch.channels_last)
    return _torch_backward(dy, x, weight, settings, [False, True, False])[1]


def _torch_backward(dy: Any, x: Any, weight: Any, settings: dict[str, Any], mask: list[bool]) -> Any:
    import torch

    stride, padding, dilation = ([settings[name]] * 2 for name in ("stride", "padding", "dilation"))
    transposed, output_padding = False, [0, 0]
    return torch.ops.aten.convolution_backward(
        dy, x, weight, None, stride, padding, dilation, transposed, output_padding, settings["groups"], mask
    )
