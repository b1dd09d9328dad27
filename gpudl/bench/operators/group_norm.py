"""Group normalisation of images, both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, first_result, operator

GROUPS, SHAPE = 8, (32, 64, 28, 28)


def forward_problem(shape: tuple[int, ...], groups: int = GROUPS, **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        x, (weight, bias) = activations(rng, *shape), activations(rng, 2, shape[1])
        return {"x": x, "weight": weight, "bias": bias}

    size = int(np.prod(shape))
    return Problem(
        "group_norm_forward", _words(shape, groups), inputs, Work(8 * size, 2 * size), {"num_groups": groups},
        part=first_result, **options,
    )  # fmt: skip


def backward_problem(shape: tuple[int, ...], groups: int = GROUPS, **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        dy, x = activations(rng, *shape), activations(rng, *shape)
        return {"dy": dy, "x": x, "weight": activations(rng, shape[1])}

    size = int(np.prod(shape))
    return Problem(
        "group_norm_backward", _words(shape, groups), inputs, Work(12 * size, 3 * size),
        {"num_groups": groups}, **options,
    )  # fmt: skip


def _words(shape: tuple[int, ...], groups: int) -> str:
    return f"{shape}, {groups} groups"


@operator("group_norm_forward", family="group_norm")
def forward_problems() -> Iterator[Problem]:
    yield forward_problem(SHAPE, quick=True)


@operator("group_norm_backward", family="group_norm")
def backward_problems() -> Iterator[Problem]:
    yield backward_problem(SHAPE, quick=True)


@contender("group_norm_forward", name="gpudl")
def gpudl_forward(x: Any, weight: Any, bias: Any, *, num_groups: int) -> Any:
    return ops.group_norm_forward(x, num_groups, weight, bias)


@contender("group_norm_backward", name="gpudl", prepares=True)
def gpudl_backward(dy: Any, x: Any, weight: Any, *, num_groups: int) -> Callable[[], Any]:
    _, mean, rstd = ops.group_norm_forward(x, num_groups, weight)
    return lambda: ops.group_norm_backward(dy, x, mean, rstd, weight)


@contender("group_norm_forward", name="PyTorch", arrays="torch")
def torch_forward(x: Any, weight: Any, bias: Any, *, num_groups: int) -> Any:
    import torch

    return torch.nn.functional.group_norm(x, num_groups, weight, bias)


@contender("group_norm_backward", name="PyTorch", arrays="torch", prepares=True)
def torch_backward(dy: Any, x: Any, weight: Any, *, num_groups: int) -> Callable[[], Any]:
    import torch

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.group_norm(x, num_groups, weight, bias)

    return backward_call(forward, [x, weight, torch.zeros_like(weight)], dy)
