"""Dropout of elements and of whole channels, both directions.

The masks differ, so what is compared is the share of zeros and the mean size of what is kept. PyTorch keeps a mask and
its backward reads it; ours keeps none and draws the numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpudl import ops
from gpudl.bench import networks
from gpudl.bench.autograd import backward_call
from gpudl.bench.contender import contender
from gpudl.bench.problem import Inputs, Problem, Results, Work, activations, operator

SHAPES = [(128, 512), (32, 64, 32, 32)]
SHAPE_2D = (128, 128, 16, 16)
SEED, STREAM = 0, 0
TOLERANCE = 0.05  # of shares that are drawn: five standard deviations of those of 10,000 draws, and more
ARRAYS = {"forward": "x", "backward": "dy"}


def problem(
    direction: str,
    shape: tuple[int, ...],
    name: str = "",
    p: float = 0.5,
    op: str = "dropout",
    **options: Any,
) -> Problem:
    def inputs(rng: np.random.Generator) -> Inputs:
        return {ARRAYS[direction]: activations(rng, *shape)}

    def expected(inputs: Inputs) -> Results:
        (x,) = inputs.values()
        # E |y| = E |x|; both shares are given apart from each other so that neither hides behind the other's size.
        return np.array(p), np.abs(x, dtype=np.float64).mean()

    words = f"{name}: {shape}" if name else str(shape)
    return Problem(
        f"{op}_{direction}", words, inputs, Work(values=2 * int(np.prod(shape))), {"p": p},
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


@operator("dropout2d_forward", family="dropout")
def forward_2d_problems() -> Iterator[Problem]:
    yield problem("forward", SHAPE_2D, op="dropout2d", quick=True)


@operator("dropout2d_backward", family="dropout")
def backward_2d_problems() -> Iterator[Problem]:
    yield problem("backward", SHAPE_2D, op="dropout2d", quick=True)


def _register(op: str) -> None:
    ours = {direction: getattr(ops, f"{op}_{direction}") for direction in ARRAYS}

    @contender(f"{op}_forward", name="gpudl")
    def gpudl_forward(x: Any, *, p: float) -> Any:
        return ours["forward"](x, p=p, seed=SEED, stream=STREAM)

    @contender(f"{op}_backward", name="gpudl", difference="the mask is drawn again")
    def gpudl_backward(dy: Any, *, p: float) -> Any:
        return ours["backward"](dy, p=p, seed=SEED, stream=STREAM)

    @contender(f"{op}_forward", name="PyTorch", arrays="torch", prepares=True)
    def torch_forward(x: Any, *, p: float) -> Callable[[], Any]:
        import torch

        x.requires_grad_()  # as in training: the mask is kept
        return lambda: getattr(torch.nn.functional, op)(x, p, training=True)


for each in ("dropout", "dropout2d"):
    _register(each)


@contender("dropout_backward", name="PyTorch", arrays="torch", prepares=True, difference="the mask is stored")
def torch_backward(dy: Any, *, p: float) -> Callable[[], Any]:
    import torch

    kept = torch.rand(dy.shape, device=dy.device) >= p
    if dy.ndim == 4:
        kept = kept.to(memory_format=torch.channels_last)
    return lambda: torch.ops.aten.native_dropout_backward(dy, kept, 1 / (1 - p))


@contender(
    "dropout2d_backward", name="PyTorch", arrays="torch", prepares=True, difference="the mask is stored"
)
def torch_backward_2d(dy: Any, *, p: float) -> Callable[[], Any]:
    import torch

    return backward_call(lambda x: torch.nn.functional.dropout2d(x, p, training=True), [dy.clone()], dy)
