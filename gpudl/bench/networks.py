"""Layers of well-known networks: what a training step asks of each operator. Images are 224 pixels high and wide, those
of CIFAR 32, those of LeNet 28."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

BATCHES = (1, 32, 256)


@dataclasses.dataclass(frozen=True)
class Convolution:
    """x (N, C, H, H) with K filters of (C / groups, R, R). occurs : how often the network has it."""

    name: str
    C: int
    H: int
    K: int
    R: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    occurs: int = 1

    @property
    def P(self) -> int:  # noqa: N802
        """Height and width of the result."""
        return (self.H + 2 * self.padding - self.R) // self.stride + 1

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.K, self.C // self.groups, self.R, self.R

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return math.prod(self.weight_shape) * self.P**2


@dataclasses.dataclass(frozen=True)
class Pool:
    """Max pooling of (C, H, H), or the mean over all of it where kernel is H."""

    C: int
    H: int
    kernel: int
    stride: int
    padding: int = 0

    @property
    def is_global(self) -> bool:
        return self.kernel == self.H


@dataclasses.dataclass(frozen=True)
class Network:
    """batch_norm : after every convolution, which then has no bias. linears : (inputs, outputs) of each layer.
    dropouts : features that are dropped out."""

    name: str
    convolutions: tuple[Convolution, ...]
    linears: tuple[tuple[int, int], ...]
    pools: tuple[Pool, ...]
    batch_norm: bool = True
    dropouts: tuple[int, ...] = ()

    @property
    def classes(self) -> int:
        return self.linears[-1][1]

    @property
    def multiply_adds(self) -> int:
        """Of convolutions and linear layers, for one image."""
        products = sum(layer.multiply_adds * layer.occurs for layer in self.convolutions)
        return products + sum(inputs * outputs for inputs, outputs in self.linears)

    @property
    def parameter_shapes(self) -> list[tuple[int, ...]]:
        """Of all parameters; layers alike stand together."""
        shapes: list[tuple[int, ...]] = []
        for layer in self.convolutions:
            vectors = 2 if self.batch_norm else 1
            shapes += [layer.weight_shape, *[(layer.K,)] * vectors] * layer.occurs
        for inputs, outputs in self.linears:
            shapes += [(outputs, inputs), (outputs,)]
        return shapes

    @property
    def activation_shapes(self) -> list[tuple[int, int]]:
        """(channels, height) of what the convolutions give, each once; the largest first."""
        shapes = {(layer.K, layer.P) for layer in self.convolutions}
        return sorted(shapes, key=lambda shape: (-shape[0] * shape[1] ** 2, shape))


def _basic_stages(channels: tuple[int, ...], H: int, blocks: int) -> Iterator[Convolution]:
    """Stages of blocks of two 3x3 convolutions; from the second on they begin with stride 2."""
    before = channels[0]
    for number, K in enumerate(channels, 1):
        name, alike = f"layer{number}", 2 * blocks
        if number > 1:
            yield Convolution(f"{name}.0.conv1", before, H, K, 3, 2, 1)
            yield Convolution(f"{name}.0.downsample", before, H, K, 1, 2)
            H, alike = H // 2, alike - 1
        yield Convolution(f"{name}.conv", K, H, K, 3, 1, 1, occurs=alike)
        before = K


def _bottleneck_stages(width_of_64: int, groups: int) -> Iterator[Convolution]:
    """The four stages of ResNet-50, whose blocks are 1x1, 3x3 (which has the stride and the groups), 1x1."""
    before, H = 64, 56
    for number, blocks in enumerate((3, 4, 6, 3), 1):
        name, stride = f"layer{number}", 1 if number == 1 else 2
        out = 256 << (number - 1)
        width = out // 256 * width_of_64
        yield Convolution(f"{name}.0.conv1", before, H, width, 1)
        yield Convolution(f"{name}.0.downsample", before, H, out, 1, stride)
        if stride == 2:
            yield Convolution(f"{name}.0.conv2", width, H, width, 3, 2, 1, groups)
        H //= stride
        same = blocks - (stride - 1)
        yield Convolution(f"{name}.conv2", width, H, width, 3, 1, 1, groups, occurs=same)
        yield Convolution(f"{name}.conv3", width, H, out, 1, occurs=blocks)
        yield Convolution(f"{name}.conv1", out, H, width, 1, occurs=blocks - 1)
        before = out


def _inverted_residuals() -> Iterator[Convolution]:
    """MobileNetV2's blocks: expand by 1x1, filter each channel by 3x3, project by 1x1 (Sandler et al., table 2)."""
    before, H = 32, 112
    for expansion, K, repetitions, first_stride in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for repetition in range(repetitions):
            stride, wide = first_stride if repetition == 0 else 1, before * expansion
            if expansion > 1:
                yield Convolution(f"expand to {wide}", before, H, wide, 1)
            yield Convolution(f"depthwise {wide}", wide, H, wide, 3, stride, 1, wide)
            H //= stride
            yield Convolution(f"project to {K}", wide, H, K, 1)
            before = K


def _alike(layers: Iterable[Convolution]) -> tuple[Convolution, ...]:
    """Layers of one size as one that occurs as often, by the name of the first."""
    found: dict[Convolution, Convolution] = {}
    for layer in layers:
        size = dataclasses.replace(layer, name="", occurs=1)
        first = found.get(size, dataclasses.replace(layer, occurs=0))
        found[size] = dataclasses.replace(first, occurs=first.occurs + layer.occurs)
    return tuple(found.values())


_STEM = Convolution("stem", 3, 224, 64, 7, 2, 3)
_STEM_POOL = Pool(64, 112, 3, 2, 1)

LENET = Network(
    "LeNet",
    (Convolution("conv1", 1, 28, 6, 5, 1, 2), Convolution("conv2", 6, 14, 16, 5)),
    ((400, 120), (120, 84), (84, 10)),
    (Pool(6, 28, 2, 2), Pool(16, 10, 2, 2)),
    batch_norm=False,
)
CIFAR_RESNET20 = Network(
    "CIFAR ResNet-20",
    (Convolution("conv1", 3, 32, 16, 3, 1, 1), *_basic_stages((16, 32, 64), 32, 3)),
    ((64, 10),),
    (Pool(64, 8, 8, 1),),
)
RESNET18 = Network(
    "ResNet-18", (_STEM, *_basic_stages((64, 128, 256, 512), 56, 2)), ((512, 1000),),
    (_STEM_POOL, Pool(512, 7, 7, 1)),
)  # fmt: skip
RESNET50 = Network(
    "ResNet-50",
    (_STEM, *_alike(_bottleneck_stages(64, 1))),
    ((2048, 1000),),
    (_STEM_POOL, Pool(2048, 7, 7, 1)),
)
RESNEXT50 = Network(
    "ResNeXt-50",
    (_STEM, *_alike(_bottleneck_stages(128, 32))),
    ((2048, 1000),),
    (_STEM_POOL, Pool(2048, 7, 7, 1)),
)
VGG16 = Network(
    "VGG-16",
    (
        Convolution("conv1_1", 3, 224, 64, 3, 1, 1),
        Convolution("conv1_2", 64, 224, 64, 3, 1, 1),
        Convolution("conv2_1", 64, 112, 128, 3, 1, 1),
        Convolution("conv2_2", 128, 112, 128, 3, 1, 1),
        Convolution("conv3_1", 128, 56, 256, 3, 1, 1),
        Convolution("conv3_2", 256, 56, 256, 3, 1, 1, occurs=2),
        Convolution("conv4_1", 256, 28, 512, 3, 1, 1),
        Convolution("conv4_2", 512, 28, 512, 3, 1, 1, occurs=2),
        Convolution("conv5_1", 512, 14, 512, 3, 1, 1, occurs=3),
    ),
    ((25088, 4096), (4096, 4096), (4096, 1000)),
    tuple(Pool(C, H, 2, 2) for C, H in ((64, 224), (128, 112), (256, 56), (512, 28), (512, 14))),
    batch_norm=False,
    dropouts=(4096,),
)
MOBILENET_V2 = Network(
    "MobileNetV2",
    (
        Convolution("stem", 3, 224, 32, 3, 2, 1),
        *_alike(_inverted_residuals()),
        Convolution("last", 320, 7, 1280, 1),
    ),
    ((1280, 1000),),
    (Pool(1280, 7, 7, 1),),
    dropouts=(1280,),
)

SMALL = (LENET, CIFAR_RESNET20)  # those that a CPU trains in minutes
LARGE = (RESNET50, VGG16, MOBILENET_V2, RESNEXT50)


def batches(network: Network) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(N, devices) at which layers of a network are measured."""
    for N in BATCHES:
        yield N, ("cpu", "cuda") if network in SMALL else ("cuda",)
