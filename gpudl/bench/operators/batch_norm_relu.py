"""Batch normalisation and ReLU after it: two operators in ours and PyTorch's, one graph in cuDNN's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.operators import batch_norm, batch_norm_cuda
from gpudl.bench.operators.batch_norm import DIFFERENCE, EPS, MOMENTUM, statistics
from gpudl.bench.problem import Inputs, Problem, activations, operator

SHAPES = [(32, 64, 56, 56), (32, 64, 112, 112), (32, 512, 28, 28), (32, 2048, 7, 7), (128, 16, 32, 32)]
# ReLU is an operation of each value; where it is one kernel with the other, nothing more crosses memory.
COSTS = {
    kind: (batch_norm.COSTS[kind][0] + 1, batch_norm.COSTS[kind][1])
    for kind in ("forward", "backward", "inference")
}
LEAST = 0.25  # of |x|


def problem(kind: str, shape: tuple[int, ...]) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        """y is never near 0, where roundings would say which gradients go through: x keeps off it, weights are
        positive, and there is no bias to speak of."""
        x, channels = activations(rng, *shape), shape[1]
        x = np.copysign(LEAST + (1 - LEAST) * np.abs(x), x)
        weight = 1 + activations(rng, channels) / 2
        given = {"x": x, "weight": weight, "bias": np.full(channels, 1 / 64, np.float32)}
        return {"dy": activations(rng, *shape), **given} if kind == "backward" else given

    quick = shape == SHAPES[0]
    return batch_norm.of_shape(f"batch_norm_relu_{kind}", str(shape), shape, inputs, COSTS[kind], quick=quick)


def _problems(kind: str) -> Iterator[Problem]:
    for shape in SHAPES:
        yield problem(kind, shape)


for _kind in COSTS:
    operator(f"batch_norm_relu_{_kind}", family="batch_norm_relu")(functools.partial(_problems, _kind))


@contender("batch_norm_relu_forward", name="gpudl", prepares=True)
def gpudl_forward(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    mean, var = statistics(x)

    def call() -> tuple[Any, ...]:
        y, *_ = ops.batch_norm_forward(x, weight, bias, mean, var, momentum=MOMENTUM, eps=EPS)
        return ops.relu_forward(y), mean, var

    return call


@contender("batch_norm_relu_backward", name="gpudl", prepares=True)
def gpudl_backward(dy: Any, x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    y, mean, rstd = ops.batch_norm_forward(x, weight, bias, eps=EPS)
    y = ops.relu_forward(y)
    return lambda: ops.batch_norm_backward(ops.relu_backward(dy, y), x, mean, rstd, weight)


@contender("batch_norm_relu_inference", name="gpudl", prepares=True)
def gpudl_inference(x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    mean, var = statistics(x)
    return lambda: ops.relu_forward(ops.batch_norm_inference(x, mean, var, weight, bias, eps=EPS))


def _torch_parameters(x: Any, *vectors: Any) -> tuple[Any, ...]:
    """Running statistics, and the vectors, in float32, or float64 for float64."""
    import torch

    dtype = torch.promote_types(x.dtype, torch.float32)
    mean, var = (torch.full((x.shape[1],), value, dtype=dtype, device=x.device) for value in (0, 1))
    return mean, var, *(vector.to(dtype) for vector in vectors)


def _torch_call(x: Any, weight: Any, bias: Any, *, training: bool) -> Callable[[], Any]:
    import torch

    mean, var, weight, bias = _torch_parameters(x, weight, bias)

    def call() -> tuple[Any, ...]:
        y = torch.nn.functional.batch_norm(x, mean, var, weight, bias, training, MOMENTUM, EPS).relu_()
        return (y, mean, var) if training else (y,)

    return call


def _register_torch(kind: str, *, training: bool) -> None:
    register = contender(
        f"batch_norm_relu_{kind}", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE
    )
    register(functools.partial(_torch_call, training=training))


_register_torch("forward", training=True)
_register_torch("inference", training=False)


@contender("batch_norm_relu_backward", name="PyTorch", arrays="torch", prepares=True, difference=DIFFERENCE)
def torch_backward(dy: Any, x: Any, weight: Any, bias: Any) -> Callable[[], Any]:
    import torch

    mean, var, weight, bias = _torch_parameters(x, weight, bias)

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.batch_norm(x, mean, var, weight, bias, True, MOMENTUM, EPS).relu()

    return backward_call(forward, (x, weight, bias), dy)


for _name, _best in (("cuDNN", False), ("cuDNN best", True)):
    _options: dict[str, Any] = {
        "name": _name, "prepares": True, "devices": ("cuda",), "difference": batch_norm_cuda.DIFFERENCE,
    }  # fmt: skip
    for _kind, _function in (
        ("forward", functools.partial(batch_norm_cuda.cudnn_forward, relu=True)),
        ("inference", functools.partial(batch_norm_cuda.cudnn_inference, relu=True)),
        ("backward", batch_norm_cuda.cudnn_backward),
    ):
        contender(f"batch_norm_relu_{_kind}", **_options)(functools.partial(_function, best=_best))
