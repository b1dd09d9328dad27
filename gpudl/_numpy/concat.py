"""Arrays joined along an axis, and cut again: copies."""

from __future__ import annotations

import numpy as np


def concat_forward(arrays: list[np.ndarray], y: np.ndarray, *, axis: int) -> None:
    """y = the arrays side by side along `axis`."""
    np.concatenate(arrays, axis, out=y)


def concat_backward(dy: np.ndarray, gradients: list[np.ndarray], *, axis: int) -> None:
    """gradients = the pieces of dy along `axis`."""
    start = 0
    for gradient in gradients:
        stop = start + gradient.shape[axis]
        gradient[...] = dy[(slice(None),) * axis + (slice(start, stop),)]
        start = stop
