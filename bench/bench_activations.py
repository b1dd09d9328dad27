"""Activations, both directions, on channels-last memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn

SHAPES = [(32, 64, 32, 32), (128, 16, 32, 32), (128, 6, 28, 28), (32, 256, 56, 56)]
NAMES = ["LeakyReLU", "ELU", "GELU", "SiLU", "Hardswish", "ReLU6", "Sigmoid", "Tanh", "Softplus"]


def cases() -> Iterator[Case]:
    for shape in SHAPES:
        yield from _both("ReLU", shape)
    for name in NAMES:
        yield from _both(name, SHAPES[0])


def _both(name: str, shape: tuple[int, ...]) -> Iterator[Case]:
    n, c, h, w = shape
    x = np.random.default_rng(0).standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)
    ours, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
    tx = torch.from_numpy(x).requires_grad_()
    tdy = torch.from_numpy(x)

    def step() -> np.ndarray:
        ours(x)
        return ours.backward(x)

    def reference_step() -> torch.Tensor:
        tx.grad = None
        theirs(tx).backward(tdy)
        return tx.grad

    words = str(shape)
    yield Case(name.lower(), "forward", words, lambda: ours(x), lambda: theirs(tx))
    yield Case(name.lower(), "forward + backward", words, step, reference_step)
