"""Softplus on flat arrays."""

from __future__ import annotations

import numpy as np

from gpudl._numpy._elementwise import buffer, run, sigmoid
from gpudl._numpy._precision import computed_in_float32


@computed_in_float32("y")
def softplus_forward(x: np.ndarray, y: np.ndarray, *, beta: float, threshold: float) -> None:
    """See `ops.softplus_forward`."""

    def piece(x: np.ndarray, y: np.ndarray) -> None:
        low = buffer("low", x)
        np.multiply(x, x.dtype.type(beta), out=low)
        large = low > threshold
        np.exp(low, out=low)
        np.log1p(low, out=low)
        low *= x.dtype.type(1 / beta)
        np.copyto(low, x, where=large)
        np.copyto(y, low)

    run(piece, x, y)


@computed_in_float32("dx")
def softplus_backward(
    dy: np.ndarray, x: np.ndarray, dx: np.ndarray, *, beta: float, threshold: float
) -> None:
    """See `ops.softplus_backward`."""

    def piece(dy: np.ndarray, x: np.ndarray, dx: np.ndarray) -> None:
        slope = buffer("slope", x)
        np.multiply(x, x.dtype.type(beta), out=slope)
        large = slope > threshold
        sigmoid(slope, slope)
        np.copyto(slope, 1, where=large)
        np.multiply(dy, slope, out=dx)

    run(piece, dy, x, dx)
