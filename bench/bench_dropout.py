"""Dropout, both directions, on channels-last activations. The masks differ, so the share of zeros is compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import ops

SHAPES = [(128, 512), (32, 64, 32, 32)]
NUMBERS = {"p": 0.5, "seed": 0, "stream": 0}


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x = rng.standard_normal(shape, np.float32)
        if x.ndim == 4:
            x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        tx = torch.from_numpy(x)
        mask = torch.rand_like(tx) < 0.5
        words = str(shape)
        yield Case(
            "dropout", "forward", words,
            lambda x=x: _share(ops.dropout_forward(x, **NUMBERS)),
            lambda tx=tx: _share(torch.dropout(tx, 0.5, True)),
            tolerance=0.05,
        )  # fmt: skip
        yield Case(
            "dropout", "backward", words,
            lambda x=x: _share(ops.dropout_backward(x, **NUMBERS)),
            lambda tx=tx, mask=mask: _share(torch.ops.aten.native_dropout_backward(tx, mask, 2.0)),
            tolerance=0.05,
        )  # fmt: skip


def _share(y: np.ndarray | torch.Tensor) -> np.ndarray:
    """The share of kept elements in the first 8,192 or more: cheap beside the operator."""
    sample = np.asarray(y[0] if y.ndim == 4 else y[:16])
    return np.array([np.count_nonzero(sample) / sample.size])
