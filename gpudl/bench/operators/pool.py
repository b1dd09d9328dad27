"""Pooling, both directions, on channels-last activations; the forward of max pooling makes what backward needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.operators import _large
from gpudl.bench.operators._convolution import unread
from gpudl.bench.problem import Inputs, Problem, Results, Work, activations, first_result, operator

KINDS = ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "global_avg_pool2d")
OFFSET = 1  # byte of the place in its window that max pooling keeps; PyTorch keeps 8, an index into the plane
ANY_ORDER = "on a GPU gradients are added in no fixed order"  # atomically


class Size(NamedTuple):
    """shape : of x. settings : of the forward. extent : of the result's height and width."""

    shape: tuple[int, int, int, int]
    settings: dict[str, int]
    extent: int
    name: str = ""
    devices: tuple[str, ...] = ("cpu", "cuda")

    @property
    def words(self) -> str:
        numbers = ", ".join(f"{name} {value}" for name, value in self.settings.items() if value)
        text = f"{self.shape} -> {self.extent}x{self.extent}" + (f", {numbers}" if numbers else "")
        return f"{self.name}: {text}" if self.name else text

    @property
    def result(self) -> tuple[int, int, int, int]:
        return (*self.shape[:2], self.extent, self.extent)


def window(
    shape: tuple[int, int, int, int], kernel: int, stride: int, padding: int = 0, **options: Any
) -> Size:
    extent = (shape[2] + 2 * padding - kernel) // stride + 1
    return Size(shape, {"kernel_size": kernel, "stride": stride, "padding": padding}, extent, **options)


def adaptive(shape: tuple[int, int, int, int], extent: int) -> Size:
    return Size(shape, {"output_size": extent}, extent)


def mean(shape: tuple[int, int, int, int], **options: Any) -> Size:
    """Over all of H and W."""
    return Size(shape, {}, 1, **options)


SIZES = {
    "max_pool2d": [
        window((128, 6, 28, 28), 2, 2),
        window((32, 64, 32, 32), 2, 2),
        window((16, 64, 112, 112), 3, 2, 1),
    ],
    "avg_pool2d": [window((32, 64, 32, 32), 2, 2), window((32, 64, 32, 32), 3, 2, 1)],
    "adaptive_avg_pool2d": [adaptive((32, 512, 7, 7), 1)],
    "adaptive_max_pool2d": [adaptive((32, 64, 32, 32), 4), adaptive((32, 64, 32, 32), 5)],
    "global_avg_pool2d": [mean((128, 64, 8, 8))],
}


def sizes(kind: str) -> Iterator[Size]:
    yield from SIZES[kind]
    for network in (*networks.SMALL, *networks.LARGE[:-1]):  # ResNeXt-50's are ResNet-50's
        for N, devices in networks.batches(network):
            for pool in network.pools:
                shape = (N, pool.C, pool.H, pool.H)
                if kind == "max_pool2d" and not pool.is_global:
                    yield window(
                        shape, pool.kernel, pool.stride, pool.padding, name=network.name, devices=devices
                    )
                if kind == "global_avg_pool2d" and pool.is_global:
                    yield mean(shape, name=network.name, devices=devices)


def forward_problem(kind: str, size: Size, **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"x": activations(rng, *size.shape)}

    return _verified(Problem(
        f"{kind}_forward", size.words, inputs, _work(kind, size), size.settings,
        part=first_result, devices=size.devices, **options,
    ))  # fmt: skip


def backward_problem(kind: str, size: Size, **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        arrays = {"dy": activations(rng, *size.result)}
        # Max pooling sends gradients to places, averages to shapes.
        return {**arrays, "x": activations(rng, *size.shape)} if "max" in kind else arrays

    settings = size.settings if "max" in kind else {"x_shape": size.shape, **size.settings}
    if kind == "adaptive_avg_pool2d":
        del settings["output_size"]  # dy has it
    return _verified(Problem(
        f"{kind}_backward", size.words, inputs, _work(kind, size), settings, devices=size.devices, **options
    ))  # fmt: skip


def indices_problem(size: Size, **options: Any) -> Problem:
    """Of max pooling: the indices into planes that PyTorch has, from the places in windows that gpudl keeps."""

    def inputs(rng: np.random.Generator) -> Inputs:
        return {"x": activations(rng, *size.shape)}

    def expected(inputs: Inputs) -> Results:
        return (largest_places(inputs["x"].astype(np.float64), **size.settings),)

    windows = int(np.prod(size.result))
    return Problem(
        "max_pool2d_indices", size.words, inputs, Work(bytes=(OFFSET + 8) * windows), size.settings, expected=expected,
        tolerance=0.0, devices=size.devices, **options,
    )  # fmt: skip


def largest_places(x: np.ndarray, *, kernel_size: int, stride: int, padding: int) -> np.ndarray:
    """h * W + w of the largest of each window, and of the first of several; -inf lies outside."""
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(x, edges, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_size, kernel_size), (2, 3))
    windows = windows[:, :, ::stride, ::stride].reshape(*x.shape[:2], -1, kernel_size**2)
    extent = (x.shape[2] + 2 * padding - kernel_size) // stride + 1
    r, s = np.divmod(windows.argmax(-1).reshape(*x.shape[:2], extent, -1), kernel_size)
    h = np.arange(extent)[:, None] * stride - padding + r
    return h * x.shape[3] + np.arange(r.shape[3]) * stride - padding + s


def _verified(problem: Problem) -> Problem:
    return _large.by_samples(problem) if _large.is_large(problem) else problem


def _work(kind: str, size: Size) -> Work:
    windows = int(np.prod(size.result))
    values = int(np.prod(size.shape)) + windows
    return Work(values=values, bytes=OFFSET * windows if "max" in kind else 0)


def _register(kind: str) -> None:
    @operator(f"{kind}_forward", family="pool")
    def forward_problems() -> Iterator[Problem]:
        for size in sizes(kind):
            yield forward_problem(kind, size, quick=size is SIZES[kind][-1])

    @operator(f"{kind}_backward", family="pool")
    def backward_problems() -> Iterator[Problem]:
        for size in sizes(kind):
            yield backward_problem(kind, size, quick=size is SIZES[kind][-1])

    if "max" not in kind:
        for direction in ("forward", "backward"):
            contender(f"{kind}_{direction}", name="gpudl")(getattr(ops, f"{kind}_{direction}"))


for each in KINDS:
    _register(each)


@operator("max_pool2d_indices", family="pool")
def indices_problems() -> Iterator[Problem]:
    for size in SIZES["max_pool2d"]:
        yield indices_problem(size, quick=size is SIZES["max_pool2d"][0])


@contender("max_pool2d_indices", name="gpudl", prepares=True)
def gpudl_max_indices(x: Any, **settings: int) -> Callable[[], Any]:
    _, offsets = ops.max_pool2d_forward(x, **settings, needs_offsets=True)
    return lambda: ops.max_pool2d_indices(offsets, x.shape, **settings)


@contender(
    "max_pool2d_indices", name="PyTorch", arrays="torch", difference="it has no indices without pooling"
)
def torch_max_indices(x: Any, **settings: int) -> Any:
    import torch

    return torch.nn.functional.max_pool2d(x, **settings, return_indices=True)[1]


@contender("max_pool2d_forward", name="gpudl")
def gpudl_max_forward(x: Any, **settings: int) -> Any:
    return ops.max_pool2d_forward(x, **settings, needs_offsets=True)


@contender("max_pool2d_backward", name="gpudl", prepares=True)
def gpudl_max_backward(dy: Any, x: Any, **settings: int) -> Callable[[], Any]:
    _, offsets = ops.max_pool2d_forward(x, **settings, needs_offsets=True)
    return lambda: ops.max_pool2d_backward(dy, offsets, x.shape, **settings)


contender("adaptive_max_pool2d_forward", name="gpudl")(ops.adaptive_max_pool2d_forward)


@contender("adaptive_max_pool2d_backward", name="gpudl", prepares=True)
def gpudl_adaptive_max_backward(dy: Any, x: Any, *, output_size: int) -> Callable[[], Any]:
    _, indices = ops.adaptive_max_pool2d_forward(x, output_size)
    return lambda: ops.adaptive_max_pool2d_backward(dy, indices, x.shape)


@contender("max_pool2d_forward", name="PyTorch", arrays="torch")
def torch_max_forward(x: Any, *, kernel_size: int, stride: int, padding: int) -> Any:
    import torch

    return torch.nn.functional.max_pool2d(x, kernel_size, stride, padding, return_indices=True)


@contender("max_pool2d_backward", name="PyTorch", arrays="torch", prepares=True, difference=ANY_ORDER)
def torch_max_backward(dy: Any, x: Any, *, kernel_size: int, stride: int, padding: int) -> Callable[[], Any]:
    import torch

    _, indices = torch.nn.functional.max_pool2d(x, kernel_size, stride, padding, return_indices=True)
    numbers = [[kernel_size] * 2, [stride] * 2, [padding] * 2, [1, 1], False]
    return lambda: torch.ops.aten.max_pool2d_with_indices_backward(dy, x, *numbers, indices)


@contender("avg_pool2d_forward", name="PyTorch", arrays="torch")
def torch_avg_forward(x: Any, **settings: int) -> Any:
    import torch

    return torch.nn.functional.avg_pool2d(x, **settings)


@contender("avg_pool2d_backward", name="PyTorch", arrays="torch")
def torch_avg_backward(
    dy: Any, *, x_shape: tuple[int, ...], kernel_size: int, stride: int, padding: int
) -> Any:
    import torch

    numbers = [[kernel_size] * 2, [stride] * 2, [padding] * 2, False, True, None]
    return torch.ops.aten.avg_pool2d_backward(dy, unread(dy, x_shape), *numbers)


@contender("adaptive_avg_pool2d_forward", name="PyTorch", arrays="torch")
@contender("global_avg_pool2d_forward", name="PyTorch", arrays="torch")
def torch_adaptive_avg_forward(x: Any, *, output_size: int = 1) -> Any:
    import torch

    return torch.nn.functional.adaptive_avg_pool2d(x, output_size)


@contender("adaptive_avg_pool2d_backward", name="PyTorch", arrays="torch", prepares=True)
@contender("global_avg_pool2d_backward", name="PyTorch", arrays="torch", prepares=True)
def torch_adaptive_avg_backward(dy: Any, *, x_shape: tuple[int, ...]) -> Callable[[], Any]:
    import torch

    # A mean over all of the image is another operator of PyTorch's: which one, autograd knows.
    forward = torch.nn.functional.adaptive_avg_pool2d
    return backward_call(lambda x: forward(x, dy.shape[2:]), [unread(dy, x_shape)], dy)


@contender("adaptive_max_pool2d_forward", name="PyTorch", arrays="torch")
def torch_adaptive_max_forward(x: Any, *, output_size: int) -> Any:
    import torch

    return torch.nn.functional.adaptive_max_pool2d(x, output_size, return_indices=True)


@contender(
    "adaptive_max_pool2d_backward", name="PyTorch", arrays="torch", prepares=True, difference=ANY_ORDER
)
def torch_adaptive_max_backward(dy: Any, x: Any, *, output_size: int) -> Callable[[], Any]:
    import torch

    _, indices = torch.nn.functional.adaptive_max_pool2d(x, output_size, return_indices=True)
    return lambda: torch.ops.aten.adaptive_max_pool2d_backward(dy, x, indices)
