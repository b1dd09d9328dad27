"""Activations, both directions, and the sum of a residual block, on channels-last memory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gpudl import ops
from gpudl._backend import array_module
from gpudl.bench import networks
from gpudl.bench.contender import contender
from gpudl.bench.operators import _large
from gpudl.bench.problem import Inputs, Problem, Work, activations, operator

Shape = tuple[int, ...]
SHAPES = [(32, 64, 32, 32), (128, 16, 32, 32), (128, 6, 28, 28), (32, 256, 56, 56)]
RANGE = 4  # of the inputs: beyond where ReLU6 and Hardswish bend


class Activation(NamedTuple):
    """forward : x -> y. backward : dy and what ours keeps, its result y or x, -> dx."""

    name: str
    forward: Callable[[Any, Any], Any]
    backward: Callable[[Any, Any, Any], Any]

    @property
    def kept(self) -> str:
        return list(inspect.signature(getattr(ops, f"{self.name}_backward")).parameters)[1]


# Forward functions take the module `torch` first, backward ones `torch.ops.aten`: it is imported where they are called.
ACTIVATIONS = [
    Activation("relu", lambda torch, x: torch.relu(x), lambda aten, dy, y: aten.threshold_backward(dy, y, 0)),
    Activation(
        "leaky_relu",
        lambda torch, x: torch.nn.functional.leaky_relu(x),
        lambda aten, dy, x: aten.leaky_relu_backward(dy, x, 0.01, False),
    ),
    Activation(
        "elu",
        lambda torch, x: torch.nn.functional.elu(x),
        lambda aten, dy, y: aten.elu_backward(dy, 1, 1, 1, True, y),
    ),
    Activation(
        "gelu",
        lambda torch, x: torch.nn.functional.gelu(x),
        lambda aten, dy, x: aten.gelu_backward(dy, x),
    ),
    Activation(
        "silu",
        lambda torch, x: torch.nn.functional.silu(x),
        lambda aten, dy, x: aten.silu_backward(dy, x),
    ),
    Activation(
        "hardswish",
        lambda torch, x: torch.nn.functional.hardswish(x),
        lambda aten, dy, x: aten.hardswish_backward(dy, x),
    ),
    Activation(
        "relu6",
        lambda torch, x: torch.nn.functional.relu6(x),
        lambda aten, dy, y: aten.hardtanh_backward(dy, y, 0, 6),
    ),
    Activation(
        "sigmoid", lambda torch, x: torch.sigmoid(x), lambda aten, dy, y: aten.sigmoid_backward(dy, y)
    ),
    Activation("tanh", lambda torch, x: torch.tanh(x), lambda aten, dy, y: aten.tanh_backward(dy, y)),
    Activation(
        "softplus",
        lambda torch, x: torch.nn.functional.softplus(x),
        lambda aten, dy, x: aten.softplus_backward(dy, x, 1, 20),
    ),
]


def forward_problem(name: str, shape: Shape, words: str = "", **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"x": activations(rng, *shape) * RANGE}

    return _problem(f"{name}_forward", shape, words, inputs, 2, **options)


def backward_problem(activation: Activation, shape: Shape, words: str = "", **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        dy, kept = activations(rng, *shape), activations(rng, *shape) * RANGE
        if activation.kept == "y":
            kept = getattr(ops, f"{activation.name}_forward")(kept)
        return {"dy": dy, activation.kept: kept}

    return _problem(f"{activation.name}_backward", shape, words, inputs, 3, **options)


def add_problem(shape: Shape, words: str = "", **options: Any) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {"a": activations(rng, *shape), "b": activations(rng, *shape)}

    return _problem("add_forward", shape, words, inputs, 3, **options)


def _problem(name: str, shape: Shape, words: str, inputs: Any, arrays: int, **options: Any) -> Problem:
    """arrays : how many as large as x cross memory."""
    whole = Problem(name, words or str(shape), inputs, Work(values=arrays * int(np.prod(shape))), **options)
    return _large.by_samples(whole) if _large.is_large(whole) else whole


def _sizes(name: str) -> Iterator[tuple[Shape, dict[str, Any]]]:
    """Shapes, and words and options of their problems."""
    for shape in SHAPES if name in ("relu", "add") else SHAPES[:1]:
        yield shape, {"quick": shape == SHAPES[0]}
    if name in ("relu", "add"):
        for N, devices in networks.batches(networks.RESNET50):
            for channels, height in networks.RESNET50.activation_shapes:
                shape = (N, channels, height, height)
                yield shape, {"words": f"ResNet-50: {shape}", "devices": devices}


def _register(activation: Activation) -> None:
    name = activation.name

    @operator(f"{name}_forward", family="activations")
    def forward_problems() -> Iterator[Problem]:
        for shape, options in _sizes(name):
            yield forward_problem(name, shape, **options)

    @operator(f"{name}_backward", family="activations")
    def backward_problems() -> Iterator[Problem]:
        for shape, options in _sizes(name):
            yield backward_problem(activation, shape, **options)

    for direction in ("forward", "backward"):
        contender(f"{name}_{direction}", name="gpudl")(getattr(ops, f"{name}_{direction}"))

    @contender(f"{name}_forward", name="PyTorch", arrays="torch")
    def torch_forward(x: Any) -> Any:
        import torch

        return activation.forward(torch, x)

    @contender(f"{name}_backward", name="PyTorch", arrays="torch")
    def torch_backward(dy: Any, **kept: Any) -> Any:
        import torch

        return activation.backward(torch.ops.aten, dy, kept[activation.kept])


for each in ACTIVATIONS:
    _register(each)


@operator("add_forward", family="activations")
def add_problems() -> Iterator[Problem]:
    for shape, options in _sizes("add"):
        yield add_problem(shape, **options)


contender("add_forward", name="gpudl")(ops.add_forward)


@contender("add_forward", name="PyTorch", arrays="torch")
def torch_add(a: Any, b: Any) -> Any:
    return a + b


@contender("add_forward", name="NumPy", devices=("cpu",))
@contender("add_forward", name="CuPy", devices=("cuda",))
def plain_add(a: Any, b: Any) -> Any:
    return a + b


@contender("relu_forward", name="NumPy", devices=("cpu",))
@contender("relu_forward", name="CuPy", devices=("cuda",))
def plain_relu(x: Any) -> Any:
    return array_module(x).maximum(x, 0)
