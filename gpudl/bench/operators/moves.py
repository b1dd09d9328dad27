"""Operators that move values and compute nothing: flattening of channels-last memory, joining channels, padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator

Shape = tuple[int, int, int, int]
FLATTENED: list[Shape] = [
    (128, 16, 5, 5),
    (32, 512, 7, 7),
]  # before the first linear layer of LeNet, of VGG-16
JOINED: list[tuple[Shape, Shape]] = [((32, 64, 28, 28), (32, 32, 28, 28))]  # as a block of a DenseNet does
PADDED: list[tuple[Shape, int]] = [((32, 64, 32, 32), 1)]


def flatten_problem(shape: Shape) -> Problem:
    return _problem("flatten_forward", str(shape), {"x": shape}, 2 * int(np.prod(shape)), {})


def concat_problem(a: Shape, b: Shape) -> Problem:
    values = 2 * int(np.prod(a) + np.prod(b))
    return _problem("concat_forward", f"{a} and {b[1]} channels", {"a": a, "b": b}, values, {})


def pad_problem(shape: Shape, padding: int) -> Problem:
    n, c, h, w = shape
    values = int(np.prod(shape)) + n * c * (h + 2 * padding) * (w + 2 * padding)
    return _problem(
        "pad2d_forward", f"{shape}, padding {padding}", {"x": shape}, values, {"padding": padding}
    )


def _problem(
    name: str, words: str, shapes: dict[str, Shape], values: int, settings: dict[str, int]
) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {array: activations(rng, *shape) for array, shape in shapes.items()}

    return Problem(name, words, inputs, Work(values=values), settings, tolerance=0.0, quick=True)


@operator("flatten_forward", family="moves")
def flatten_problems() -> Iterator[Problem]:
    yield from map(flatten_problem, FLATTENED)


@operator("concat_forward", family="moves")
def concat_problems() -> Iterator[Problem]:
    for a, b in JOINED:
        yield concat_problem(a, b)


@operator("pad2d_forward", family="moves")
def pad_problems() -> Iterator[Problem]:
    for shape, padding in PADDED:
        yield pad_problem(shape, padding)


contender("flatten_forward", name="gpudl")(ops.flatten_forward)
contender("pad2d_forward", name="gpudl")(ops.pad2d_forward)


@contender("concat_forward", name="gpudl")
def gpudl_concat(a: Any, b: Any) -> Any:
    return ops.concat_forward([a, b])


@contender("flatten_forward", name="PyTorch", arrays="torch")
def torch_flatten(x: Any) -> Any:
    return x.flatten(1)


@contender("concat_forward", name="PyTorch", arrays="torch")
def torch_concat(a: Any, b: Any) -> Any:
    import torch

    return torch.cat([a, b], 1)


@contender("pad2d_forward", name="PyTorch", arrays="torch")
def torch_pad(x: Any, *, padding: int) -> Any:
    import torch

    return torch.nn.functional.pad(x, (padding,) * 4)
