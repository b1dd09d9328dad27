"""Layer normalisation of the last axis, both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, first_result, operator

SHAPES = [(64, 128, 256), (2048, 768)]


def forward_problem(shape: tuple[int, ...]) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        x, (weight, bias) = activations(rng, *shape), activations(rng, 2, shape[-1])
        return {"x": x, "weight": weight, "bias": bias}

    size = int(np.prod(shape))
    work = Work(8 * size, 2 * size)
    return Problem(
        "layer_norm_forward", str(shape), inputs, work, part=first_result, quick=shape == SHAPES[0]
    )


def backward_problem(shape: tuple[int, ...]) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        dy, x = activations(rng, *shape), activations(rng, *shape)
        return {"dy": dy, "x": x, "weight": activations(rng, shape[-1])}

    size = int(np.prod(shape))
    work = Work(12 * size, 3 * size)
    return Problem("layer_norm_backward", str(shape), inputs, work, quick=shape == SHAPES[0])


@operator("layer_norm_forward", family="layer_norm")
def forward_problems() -> Iterator[Problem]:
    yield from map(forward_problem, SHAPES)


@operator("layer_norm_backward", family="layer_norm")
def backward_problems() -> Iterator[Problem]:
    yield from map(backward_problem, SHAPES)


@contender("layer_norm_forward", name="gpudl")
def gpudl_forward(x: Any, weight: Any, bias: Any) -> Any:
    return ops.layer_norm_forward(x, x.shape[-1:], weight, bias)


@contender("layer_norm_backward", name="gpudl", prepares=True)
def gpudl_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    _, mean, rstd = ops.layer_norm_forward(x, x.shape[-1:], weight)
    return lambda: ops.layer_norm_backward(dy, x, mean, rstd, weight)


@contender("layer_norm_forward", name="PyTorch", arrays="torch")
def torch_forward(x: Any, weight: Any, bias: Any) -> Any:
    import torch

    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)


@contender("layer_norm_backward", name="PyTorch", arrays="torch", prepares=True)
def torch_backward(dy: Any, x: Any, weight: Any) -> Callable[[], Any]:
    import torch

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)

    return backward_call(forward, [x, weight, torch.zeros_like(weight)], dy)
