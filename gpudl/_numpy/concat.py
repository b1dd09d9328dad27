"""Arrays joined along an axis, and cut again: copies."""

from __future__ import annotations

import numpy as np


def concat_forward(arrays: list[np.ndarray], y: np.ndarray) -> None:
    """y = the arrays side by side. arrays : (M, K_i); y : (M, sum of K_i)."""
    np.concatenate(arrays, 1, out=y)


def concat_backward(dy: np.ndarray, gradients: list[np.ndarray]) -> None:
    """gradients = the columns of dy, cut in order. dy : (M, sum of K_i); gradients : (M, K_i)."""
    start = 0
    for gradient in gradients:
        stop = start + gradient.shape[1]
        gradient[...] = dy[:, start:stop]
        start = stop
