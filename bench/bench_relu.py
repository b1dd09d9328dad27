"""ReLU, both directions, on channels-last activations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import ops

SHAPES = [(32, 64, 32, 32), (128, 16, 32, 32), (128, 6, 28, 28), (32, 256, 56, 56)]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for N, C, H, W in SHAPES:
        x = rng.standard_normal((N, H, W, C), np.float32).transpose(0, 3, 1, 2)
        y = ops.relu_forward(x)
        tx, ty = torch.from_numpy(x), torch.from_numpy(y)
        words = f"({N}, {C}, {H}, {W})"
        yield Case("relu", "forward", words, lambda x=x: ops.relu_forward(x), lambda tx=tx: torch.relu(tx))
        yield Case(
            "relu", "backward", words,
            lambda x=x, y=y: ops.relu_backward(x, y),
            lambda tx=tx, ty=ty: torch.ops.aten.threshold_backward(tx, ty, 0),
        )  # fmt: skip
