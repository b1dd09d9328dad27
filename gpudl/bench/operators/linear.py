"""Linear layers, each direction: sizes that tell, and the layers of well-known networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Work, activations, bias, operator

SIZES = [(256, 512, 512), (64, 9216, 128), (128, 784, 300)]
# The arrays of each direction, with their extents of (rows, inputs, outputs).
ARRAYS = {
    "forward": {"x": "ri", "weight": "oi", "bias": "o"},
    "backward_data": {"dy": "ro", "weight": "oi"},
    "backward_weight": {"dy": "ro", "x": "ri"},
    "backward_bias": {"dy": "ro"},
}
RESULTS = {"forward": "ro", "backward_data": "ri", "backward_weight": "oi", "backward_bias": "o"}


def problem(direction: str, size: tuple[int, int, int], name: str = "", **options: Any) -> Problem:
    """size : rows, inputs, outputs."""
    extents = dict(zip("rio", size, strict=True))

    def shape(axes: str) -> tuple[int, ...]:
        return tuple(extents[axis] for axis in axes)

    def inputs(rng: np.random.Generator) -> Inputs:
        return {
            array: bias(rng, outs, ins) if array == "bias" else activations(rng, *shape(axes))
            for array, axes in ARRAYS[direction].items()
        }

    values = sum(int(np.prod(shape(axes))) for axes in (*ARRAYS[direction].values(), RESULTS[direction]))
    rows, ins, outs = size
    flops = rows * outs if direction == "backward_bias" else 2 * rows * ins * outs
    words = f"({rows}, {ins}) -> {outs}"
    return Problem(
        f"linear_{direction}", f"{name}: {words}" if name else words, inputs, Work(flops, values), **options
    )


def _problems(direction: str) -> Iterator[Problem]:
    for size in SIZES:
        yield problem(direction, size, quick=size == SIZES[0])
    for network in (*networks.SMALL, *networks.LARGE[:-1]):  # ResNeXt-50's is ResNet-50's
        for N, devices in networks.batches(network):
            for layer in network.linears:
                yield problem(direction, (N, *layer), network.name, devices=devices)


def _register(direction: str) -> None:
    @operator(f"linear_{direction}", family="linear")
    def problems() -> Iterator[Problem]:
        yield from _problems(direction)

    contender(f"linear_{direction}", name="gpudl")(getattr(ops, f"linear_{direction}"))


for each in ARRAYS:
    _register(each)


@contender("linear_forward", name="PyTorch", arrays="torch")
def torch_forward(x: Any, weight: Any, bias: Any) -> Any:
    import torch

    return torch.nn.functional.linear(x, weight, bias)


@contender("linear_backward_bias", name="PyTorch", arrays="torch")
def torch_backward_bias(dy: Any) -> Any:
    return dy.sum(0)


@contender("linear_forward", name="NumPy", devices=("cpu",))
@contender("linear_forward", name="CuPy", devices=("cuda",))
def plain_forward(x: Any, weight: Any, bias: Any) -> Any:
    return x @ weight.T + bias


@contender("linear_backward_data", name="PyTorch", arrays="torch")
@contender("linear_backward_data", name="NumPy", devices=("cpu",))
@contender("linear_backward_data", name="CuPy", devices=("cuda",))
def plain_backward_data(dy: Any, weight: Any) -> Any:
    return dy @ weight


@contender("linear_backward_weight", name="PyTorch", arrays="torch")
@contender("linear_backward_weight", name="NumPy", devices=("cpu",))
@contender("linear_backward_weight", name="CuPy", devices=("cuda",))
def plain_backward_weight(dy: Any, x: Any) -> Any:
    return dy.T @ x
