"""Dropout as a layer, and its backward alone, on channels-last activations.

The masks differ, so the share of zeros is compared. PyTorch keeps a mask and its backward reads it; ours keeps none and
draws the numbers again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.harness import Case
from gpudl import nn, ops

SHAPES = [(128, 512), (32, 64, 32, 32)]
NUMBERS = {"p": 0.5, "seed": 0, "stream": 0}


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x = rng.standard_normal(shape, np.float32)
        if x.ndim == 4:
            x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        yield from _cases(x)


def _cases(x: np.ndarray) -> Iterator[Case]:
    ours, theirs = nn.Dropout(0.5), torch.nn.Dropout(0.5)
    tx = torch.from_numpy(x).requires_grad_()
    tdy = torch.from_numpy(x)
    mask = torch.rand_like(tdy) < 0.5

    def step() -> np.ndarray:
        ours(x)
        return _share(ours.backward(x))

    def reference_step() -> np.ndarray:
        tx.grad = None
        theirs(tx).backward(tdy)
        return _share(tx.grad)

    def backward() -> np.ndarray:
        return _share(ops.dropout_backward(x, **NUMBERS))

    def reference_backward() -> np.ndarray:
        return _share(torch.ops.aten.native_dropout_backward(tdy, mask, 2.0))

    words = str(x.shape)
    yield Case(
        "dropout", "forward", words, lambda: _share(ours(x)), lambda: _share(theirs(tx)), tolerance=0.05
    )
    yield Case("dropout", "forward + backward", words, step, reference_step, tolerance=0.05)
    again = f"{words}, the mask drawn again, PyTorch's stored"
    yield Case("dropout", "backward", again, backward, reference_backward, tolerance=0.05)


def _share(y: np.ndarray | torch.Tensor) -> np.ndarray:
    """The share of kept elements in the first 8,192 or more: cheap beside the operator."""
    sample = y[0] if y.ndim == 4 else y[:16]
    sample = np.asarray(sample.detach() if isinstance(sample, torch.Tensor) else sample)
    return np.array([np.count_nonzero(sample) / sample.size])
