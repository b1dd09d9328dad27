"""Dropout, both directions.

The masks differ, so what is compared is the share of zeros and the mean size of what is kept. PyTorch keeps a mask and
its backward reads it; ours keeps none and draws the numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Results, Work, activations, operator

SHAPES = [(128, 512), (32, 64, 32, 32)]
SEED, STREAM = 0, 0
TOLERANCE = 0.05  # of shares that are drawn: five standard deviations of those of 10,000 elements, and more
ARRAYS = {"forward": "x", "backward": "dy"}


def problem(
    direction: str, shape: tuple[int, ...], name: str = "", p: float = 0.5, **options: Any
) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {ARRAYS[direction]: activations(rng, *shape)}

    def expected(inputs: Inputs) -> Results:
        (x,) = inputs.values()
        # E |y| = E |x|; both shares are given apart from each other so that neither hides behind the other's size.
        return np.array(p), np.abs(x, dtype=np.float64).mean()

    words = f"{name}: {shape}" if name else str(shape)
    return Problem(
        f"dropout_{direction}", words, inputs, Work(values=2 * int(np.prod(shape))), {"p": p},
        compared=_shares, expected=expected, tolerance=TOLERANCE, **options,
    )  # fmt: skip


def _shares(results: Results) -> Results:
    (y,) = results
    return np.mean(y == 0), np.abs(y).mean()


def _problems(direction: str) -> Iterator[Problem]:
    for shape in SHAPES:
        yield problem(direction, shape, quick=shape == SHAPES[-1])
    for network, p in ((networks.VGG16, 0.5), (networks.MOBILENET_V2, 0.2)):
        for N, devices in networks.batches(network):
            for features in network.dropouts:
                if N > 1:  # of fewer elements no share can be told
                    yield problem(direction, (N, features), network.name, p, devices=devices)


@operator("dropout_forward", family="dropout")
def forward_problems() -> Iterator[Problem]:
    yield from _problems("forward")


@operator("dropout_backward", family="dropout")
def backward_problems() -> Iterator[Problem]:
    yield from _problems("backward")


@contender("dropout_forward", name="gpudl")
def gpudl_forward(x: Any, *, p: float) -> Any:
    return ops.dropout_forward(x, p=p, seed=SEED, stream=STREAM)


@contender("dropout_backward", name="gpudl", difference="the mask is drawn again")
def gpudl_backward(dy: Any, *, p: float) -> Any:
    return ops.dropout_backward(dy, p=p, seed=SEED, stream=STREAM)


@contender("dropout_forward", name="PyTorch", arrays="torch", prepares=True)
def torch_forward(x: Any, *, p: float) -> Callable[[], Any]:
    import torch

    x.requires_grad_()  # as in training: the mask is kept
    return lambda: torch.nn.functional.dropout(x, p, training=True)


@contender("dropout_backward", name="PyTorch", arrays="torch", prepares=True, difference="the mask is stored")
def torch_backward(dy: Any, *, p: float) -> Callable[[], Any]:
    import torch

    kept = torch.rand(dy.shape, device=dy.device) >= p
    if dy.ndim == 4:
        kept = kept.to(memory_format=torch.channels_last)
    return lambda: torch.ops.aten.native_dropout_backward(dy, kept, 1 / (1 - p))
