"""Operators that move values and compute nothing, both directions: flattening, joining channels, padding.
Activations are channels-last; where autograd gives views, PyTorch's users are taken to copy them into such memory."""

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


def unflatten_problem(shape: Shape) -> Problem:
    settings = {"input_size": shape}
    flat = (shape[0], int(np.prod(shape[1:])))
    return _problem("flatten_backward", str(shape), {"dy": flat}, 2 * int(np.prod(shape)), settings)


def concat_problem(a: Shape, b: Shape) -> Problem:
    values = 2 * int(np.prod(a) + np.prod(b))
    return _problem("concat_forward", f"{a} and {b[1]} channels", {"a": a, "b": b}, values, {})


def split_problem(a: Shape, b: Shape) -> Problem:
    joined = (a[0], a[1] + b[1], *a[2:])
    values, settings = 2 * int(np.prod(joined)), {"extents": (a[1], b[1])}
    return _problem("concat_backward", f"{a} and {b[1]} channels", {"dy": joined}, values, settings)


def pad_problem(shape: Shape, padding: int) -> Problem:
    padded = _padded(shape, padding)
    values, words = int(np.prod(shape) + np.prod(padded)), f"{shape}, padding {padding}"
    return _problem("pad2d_forward", words, {"x": shape}, values, {"padding": padding})


def crop_problem(shape: Shape, padding: int) -> Problem:
    """The gradient of the padding goes nowhere and need not be read."""
    values, words = 2 * int(np.prod(shape)), f"{shape}, padding {padding}"
    return _problem("pad2d_backward", words, {"dy": _padded(shape, padding)}, values, {"padding": padding})


def _padded(shape: Shape, padding: int) -> Shape:
    n, c, h, w = shape
    return n, c, h + 2 * padding, w + 2 * padding


def _problem(
    name: str, words: str, shapes: dict[str, tuple[int, ...]], values: int, settings: dict[str, Any]
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


@operator("flatten_backward", family="moves")
def unflatten_problems() -> Iterator[Problem]:
    yield from map(unflatten_problem, FLATTENED)


@operator("concat_backward", family="moves")
def split_problems() -> Iterator[Problem]:
    for a, b in JOINED:
        yield split_problem(a, b)


@operator("pad2d_backward", family="moves")
def crop_problems() -> Iterator[Problem]:
    for shape, padding in PADDED:
        yield crop_problem(shape, padding)


for _name in ("flatten_forward", "flatten_backward", "concat_backward", "pad2d_forward", "pad2d_backward"):
    contender(_name, name="gpudl")(getattr(ops, _name))


@contender("concat_forward", name="gpudl")
def gpudl_concat(a: Any, b: Any) -> Any:
    return ops.concat_forward([a, b])


@contender("flatten_forward", name="PyTorch", arrays="torch")
def torch_flatten(x: Any) -> Any:
    return x.flatten(1)


@contender("flatten_backward", name="PyTorch", arrays="torch")
def torch_unflatten(dy: Any, *, input_size: Shape) -> Any:
    return _channels_last(dy.reshape(input_size))


@contender("concat_backward", name="PyTorch", arrays="torch")
def torch_split(dy: Any, *, extents: tuple[int, ...]) -> Any:
    return [_channels_last(piece) for piece in dy.split(extents, 1)]


@contender("pad2d_backward", name="PyTorch", arrays="torch")
def torch_crop(dy: Any, *, padding: int) -> Any:
    return _channels_last(dy[:, :, padding:-padding, padding:-padding])


def _channels_last(view: Any) -> Any:
    import torch

    return view.contiguous(memory_format=torch.channels_last)


@contender("concat_forward", name="PyTorch", arrays="torch")
def torch_concat(a: Any, b: Any) -> Any:
    import torch

    return torch.cat([a, b], 1)


@contender("pad2d_forward", name="PyTorch", arrays="torch")
def torch_pad(x: Any, *, padding: int) -> Any:
    import torch

    return torch.nn.functional.pad(x, (padding,) * 4)
