"""Pooling, both directions, on channels-last activations; the forward of max pooling makes what backward needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape, ours, theirs in [
        ((128, 6, 28, 28), nn.MaxPool2d(2), torch.nn.MaxPool2d(2)),
        ((32, 64, 32, 32), nn.MaxPool2d(2), torch.nn.MaxPool2d(2)),
        ((16, 64, 112, 112), nn.MaxPool2d(3, 2, 1), torch.nn.MaxPool2d(3, 2, 1)),
        ((32, 64, 32, 32), nn.AvgPool2d(2), torch.nn.AvgPool2d(2)),
        ((32, 64, 32, 32), nn.AvgPool2d(3, 2, 1), torch.nn.AvgPool2d(3, 2, 1)),
        ((32, 512, 7, 7), nn.AdaptiveAvgPool2d(1), torch.nn.AdaptiveAvgPool2d(1)),
        ((32, 64, 32, 32), nn.AdaptiveMaxPool2d(4), torch.nn.AdaptiveMaxPool2d(4)),
        ((32, 64, 32, 32), nn.AdaptiveMaxPool2d(5), torch.nn.AdaptiveMaxPool2d(5)),
        ((128, 64, 8, 8), nn.GlobalAvgPool2d(), torch.nn.AdaptiveAvgPool2d(1)),
    ]:
        yield from _both(ours, theirs, _channels_last(rng, shape))


def _channels_last(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    n, c, h, w = shape
    return rng.standard_normal((n, h, w, c), np.float32).transpose(0, 3, 1, 2)


def _both(ours: Any, theirs: Any, x: np.ndarray) -> Iterator[Case]:
    tx = torch.from_numpy(x).requires_grad_()
    dy = np.ascontiguousarray(ours(x).transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    tdy = torch.from_numpy(dy)

    def step() -> np.ndarray:
        ours(x)
        return ours.backward(dy)

    def reference_step() -> torch.Tensor:
        tx.grad = None
        theirs(tx).backward(tdy)
        return tx.grad

    words = f"{type(ours).__name__} {x.shape} -> {dy.shape[2:]}"
    yield Case("pool", "forward", words, lambda: ours(x), lambda: theirs(tx))
    yield Case("pool", "forward + backward", words, step, reference_step)
