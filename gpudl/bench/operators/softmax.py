"""Softmax and log-softmax over classes, both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator

SHAPES = [(1024, 1000), (128, 10), (8192, 100)]
NAMES = ("softmax", "log_softmax")
RANGE = 4  # of the inputs


def forward_problem(name: str, shape: tuple[int, int]) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"x": activations(rng, *shape) * RANGE}

    return _problem(f"{name}_forward", shape, inputs, 2)


def backward_problem(name: str, shape: tuple[int, int]) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        y = getattr(ops, f"{name}_forward")(activations(rng, *shape) * RANGE, 1)
        return {"dy": activations(rng, *shape), "y": y}

    return _problem(f"{name}_backward", shape, inputs, 3)


def _problem(name: str, shape: tuple[int, int], inputs: Any, arrays: int) -> Problem:
    work = Work(values=arrays * shape[0] * shape[1])
    return Problem(name, str(shape), inputs, work, {"axis": 1}, quick=shape == SHAPES[0])


def _register(name: str) -> None:
    @operator(f"{name}_forward", family="softmax")
    def forward_problems() -> Iterator[Problem]:
        for shape in SHAPES:
            yield forward_problem(name, shape)

    @operator(f"{name}_backward", family="softmax")
    def backward_problems() -> Iterator[Problem]:
        for shape in SHAPES:
            yield backward_problem(name, shape)

    for direction in ("forward", "backward"):
        contender(f"{name}_{direction}", name="gpudl")(getattr(ops, f"{name}_{direction}"))

    @contender(f"{name}_forward", name="PyTorch", arrays="torch")
    def torch_forward(x: Any, *, axis: int) -> Any:
        import torch

        return getattr(torch, name)(x, axis)

    @contender(f"{name}_backward", name="PyTorch", arrays="torch")
    def torch_backward(dy: Any, y: Any, *, axis: int) -> Any:
        import torch

        return getattr(torch.ops.aten, f"_{name}_backward_data")(dy, y, axis, dy.dtype)


for each in NAMES:
    _register(each)
