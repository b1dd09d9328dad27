"""Batch normalisation: in training with running statistics, its backward, and in evaluation.

PyTorch's parameters are float32 where activations are in half precision, as under autocast; ours have the dtype of the
activations. Running statistics are float32 on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl._backend import array_module
from gpudl.bench import networks
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.operators import _large
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator

SHAPES = [(32, 64, 56, 56), (128, 16, 32, 32), (128, 64, 8, 8), (128, 6, 28, 28), (256, 128), (64, 128, 256)]
DIFFERENCE = "parameters are float32 where activations are in half precision"  # of PyTorch's and cuDNN's
# Operations and arrays like x of each value, at least: statistics that stay on the chip or come with the producer of x.
COSTS = {"forward": (8, 2), "backward": (12, 3), "inference": (2, 2), "inference_backward": (5, 3)}
MOMENTUM, EPS = 0.1, 1e-5


def problem(kind: str, shape: tuple[int, ...], name: str = "", **options: Any) -> Problem:
    """kind : of COSTS."""
    channels = shape[1]

    def inputs(rng: np.random.Generator) -> Inputs:
        arrays = {"x": activations(rng, *shape), "weight": activations(rng, channels)}
        if kind.endswith("backward"):
            return {"dy": activations(rng, *shape), **arrays}
        return {**arrays, "bias": activations(rng, channels)}

    words = f"{name}: {shape}" if name else str(shape)
    return of_shape(f"batch_norm_{kind}", words, shape, inputs, COSTS[kind], **options)


def of_shape(
    op: str,
    words: str,
    shape: tuple[int, ...],
    inputs: Callable[[np.random.Generator], Inputs],
    cost: tuple[int, int],
    **options: Any,
) -> Problem:
    """cost : operations, and arrays like x that cross memory, of each value."""
    flops, arrays = cost
    size = int(np.prod(shape))
    whole = Problem(op, words, inputs, Work(flops * size, arrays * size), **options)
    return _large.by_channels(whole) if _large.is_large(whole) else whole


def _problems(kind: str) -> Iterator[Problem]:
    for shape in SHAPES:
        yield problem(kind, shape, quick=shape == SHAPES[0])
    for network in (networks.CIFAR_RESNET20, networks.RESNET50, networks.MOBILENET_V2):
        for N, devices in networks.batches(network):
            for channels, height in network.activation_shapes:
                if N * height > 1:  # statistics need more than one value
                    yield problem(kind, (N, channels, height, height), network.name, devices=devices)


@operator("batch_norm_forward", family="batch_norm")
def forward_problems() -> Iterator[Problem]:
    yield from _problems("forward")


@operator("batch_norm_backward", family="batch_norm")
def backward_problems() -> Iterator[Problem]:
    yield from _problems("backward")


@operator("batch_norm_inference", family="batch_norm")
def inference_problems() -> Iterator[Problem]:
    yield from _problems("inference")


@operator("batch_norm_inference_backward", family="batch_norm")
def inference_backward_problems() -> Iterator[Problem]:
    """Of layers whose statistics are frozen, as where a network is tuned further."""
    for shape in SHAPES:
        yield problem("inference_backward", shape, quick=shape == SHAPES[0])


def statistics(x: Any) -> tuple[Any, Any]:
    """Mean 0 and variance 1 of each channel, in float32, or float64 for float64."""
    xp, dtype = array_module(x), np.float64 if x.dtype == np.float64 else np.float32
    return xp.zeros(x.shape[1], dtype), xp.ones(x.shape[1], dtype)


@contender("batch_norm_forward", name="gpudl", prepares=True)
def gpudl_forward(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    mean, var = statistics(x)
    count = array_module(x).zeros((), np.int64)

    def call() -> tuple[Any, ...]:
        y, *_ = ops.batch_norm_forward(x, weight, bias, mean, var, count, momentum=MOMENTUM, eps=EPS)
        return y, mean, var

    return call


@contender("batch_norm_backward", name="gpudl", prepares=True)
def gpudl_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    _, mean, rstd = ops.batch_norm_forward(x, weight, eps=EPS)
    return lambda: ops.batch_norm_backward(dy, x, mean, rstd, weight)


@contender("batch_norm_inference", name="gpudl", prepares=True)
def gpudl_inference(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    mean, var = statistics(x)
    return lambda: ops.batch_norm_inference(x, mean, var, weight, bias, eps=EPS)


@contender("batch_norm_inference_backward", name="gpudl", prepares=True)
def gpudl_inference_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    mean, var = statistics(x)
    return lambda: ops.batch_norm_inference_backward(dy, x, mean, var, weight, eps=EPS)


def _torch_layer(x: Any, weight: Any, bias: Any) -> Any:
    """PyTorch's layer for the shape of x, with these parameters."""
    import torch

    kind = torch.nn.BatchNorm2d if x.ndim == 4 else torch.nn.BatchNorm1d
    layer = kind(x.shape[1], EPS, MOMENTUM, device=x.device)
    if x.dtype == torch.float64:
        layer.double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


@contender("batch_norm_forward", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_forward(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    layer = _torch_layer(x, weight, bias)
    return lambda: (layer(x), layer.running_mean, layer.running_var)


@contender("batch_norm_backward", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    import torch

    return _torch_backward(_torch_layer(x, weight, torch.zeros_like(weight)), x, dy)


@contender(
    "batch_norm_inference_backward", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE
)
def torch_inference_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    import torch

    return _torch_backward(_torch_layer(x, weight, torch.zeros_like(weight)).eval(), x, dy)


def _torch_backward(layer: Any, x: Any, dy: Any) -> Callable[[], Any]:
    return backward_call(lambda x, weight, bias: layer(x), [x, layer.weight, layer.bias], dy)


@contender("batch_norm_inference", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_inference(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    import torch

    layer = _torch_layer(x, weight, bias).eval()
    return torch.no_grad()(lambda: layer(x))
